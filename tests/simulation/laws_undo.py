"""The laws of undo: it never takes what it can't give back, it gives back what it can, and nothing goes over it while it is open."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from .history import Sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .evidence import Evidence
    from .history import Happening, Shown

Found = tuple[int, str, str]
_BROKEN_OFF = frozenset({"Crashed", "interrupted", "DiskError", "UnreachableError"})
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def undo_endings(case: Evidence) -> Iterator[Found]:
    """Every process ends in a way that something explains; an undo may find nothing to undo, a run an undo that is open."""
    for start in case.world.starts:
        night = case.nights[start.night]
        allowed = {"done", "failed", "UnsafePlanError"}
        allowed |= {"Crashed", "interrupted", "DiskError"} if night.dooms else set()
        allowed |= {"UnreachableError"} if night.noisy else set()
        nothing = night.mode == "undo" and "nothing to undo" in str(start.error)
        if start.ending not in allowed and not nothing:
            yield 0, "", f"process {start.number} (night {start.night}) ended with {start.ending}: {start.error}"
    for number, night in enumerate(case.nights):
        if case.last_start(number).ending in _BROKEN_OFF and not night.most:
            yield 0, "", f"night {number} never came to its end: {case.last_start(number).ending}"


def _run_night(case: Evidence, night: int) -> int:
    """The night in which the run began that an undo takes back, the last that changed anything; -1 where there is none."""
    changed = {call.night for call in case.writes if call.night < night and call.committed_at is not None}
    wrote = {number for number in changed if case.nights[number].mode != "undo"}
    at = max(wrote, default=-1)
    for earlier in sorted(wrote - {at}, reverse=True):
        here, there = case.nights[at], case.nights[earlier]
        if here.fresh or here.mode != there.mode or not case.starts(at)[0].goes_on:
            break
        at = earlier
    return at


def _ours(case: Evidence, happening: Happening, night: int) -> bool:
    return isinstance(happening.actor, Sent) and happening.actor.night == night and case.nights[night].mode == "undo"


def emptier(case: Evidence) -> Iterator[Found]:
    """No undo leaves a gallery with fewer images than it found, at any moment, while a former image is not there, unless losses are allowed."""
    for number, night in enumerate(case.nights):
        run = _run_night(case, number)
        if night.undo is None or night.undo.allow_loss or run < 0:
            continue
        for row in night.rows:
            product, began = row["product_id"], case.world.night_began[number]
            found = len(case.gallery(product, began))
            former = {shown.image_id for shown in case.gallery(product, case.world.night_began[run])}
            for happening in case.world.shop.happenings:
                if happening.product != product or happening.at < began or not _ours(case, happening, number):
                    continue
                lost = len(former - {shown.image_id for shown in happening.after}) - _brought(
                    case, happening.after, run
                )
                if happening.kind == "delete" and len(happening.after) < found and lost > 0:
                    said = f"{found} images before the undo, {len(happening.after)} after a delete of its"
                    yield product, "", f"night {number}: {said}, and {lost} of {len(former)} former ones are not back"


def _brought(case: Evidence, gallery: list[Shown], run: int) -> int:
    """Return the number of a product's images that undos created since that run."""
    makers = (case.lives[shown.image_id].maker for shown in gallery)
    return sum(isinstance(m, Sent) and m.night > run and case.nights[m.night].mode == "undo" for m in makers)


def given_back(case: Evidence) -> Iterator[Found]:
    """After an undo that says that all was taken back every former image is there again, by its name."""
    for number, night in enumerate(case.nights):
        last, run = case.last_start(number), _run_night(case, number)
        if night.undo is None or last.ending != "done" or run < 0 or case.world.config.names != "kept":
            continue
        for row in night.rows:
            product = row["product_id"]
            former = Counter(_name(shown) for shown in case.gallery(product, case.world.night_began[run]))
            missing = former - Counter(_name(shown) for shown in case.gallery(product, last.ended))
            if missing:
                yield product, min(missing), f"night {number} ended 'done', and {sorted(missing)} are not back"


def _name(shown: Shown) -> str:
    return _UNSAFE.sub("_", shown.label).lower()


def overrun(case: Evidence) -> Iterator[Found]:
    """While an undo that has written is not finished, no other command writes, but for one that gives it up."""
    is_open = False
    for number, night in enumerate(case.nights):
        wrote = [call for call in case.writes if call.night == number]
        if night.mode == "undo":
            last = case.last_start(number)
            is_open = (is_open or bool(wrote)) and last.ending in _BROKEN_OFF and not last.undone
        elif is_open and night.fresh:
            is_open = False
        elif is_open and wrote:
            yield (
                wrote[0].product,
                "",
                f"night {number} ({night.mode}) writes over an undo that is open (call {wrote[0].number})",
            )
