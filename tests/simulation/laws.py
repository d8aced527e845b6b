"""The laws that every run must keep, judged by the shop's own memory and the calls on the line; blame falls on the engine's writes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .draw import NOWHERE
from .evidence import Evidence
from .history import Sent
from .judge import differences, is_dead, label_of
from .laws_counts import counts, endings, journals, quota, requests
from .laws_guards import guards
from .laws_reasons import reasons, refusals
from .laws_undo import emptier, given_back, overrun, undo_endings
from .local_pictures import warnings
from .onlooker import onlookers
from .own_values import is_own_order, is_own_text, naming, quiet_nights, repeats
from .refusals import own_refusals, standstills, waits
from .source_names import quiet
from .undo_nights import has_undo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .manifests import Row
    from .world import World


@dataclass(frozen=True)
class Breach:
    """A law that was broken: which, where (product 0: nowhere in particular), and how."""

    law: str
    product: int
    label: str
    text: str


def breaches(world: World) -> list[Breach]:
    """Everything that was wrong in a world, most telling first."""
    case = Evidence(world)
    of_undo = (undo_endings, intents, emptier, given_back, overrun, converged, journals, quota, requests, onlookers)
    laws = (
        endings,
        intents,
        doubles,
        deletes,
        order_of_work,
        guards,
        strangers,
        converged,
        truth,
        twins,
        counts,
        journals,
        quota,
        requests,
        reasons,
        refusals,
        waits,
        standstills,
        own_refusals,
        repeats,
        quiet_nights,
        naming,
        warnings,
        quiet,
        onlookers,
    )
    found = [Breach(law.__name__, *each) for law in (of_undo if has_undo(case) else laws) for each in law(case)]
    return list(dict.fromkeys(found))


Found = tuple[int, str, str]


def intents(case: Evidence) -> Iterator[Found]:
    """No write goes out before its intent would survive a power cut."""
    for complaint in case.world.complaints:
        yield 0, "", complaint


def doubles(case: Evidence) -> Iterator[Found]:
    """No create is sent while its image stands that an earlier one made, unless that came later than `--settle`."""
    sent = [call for call in case.writes if call.verb == "create"]
    for later, earlier in ((later, earlier) for n, later in enumerate(sent) for earlier in sent[:n]):
        same = (earlier.product, label_of(earlier.body)) == (later.product, label_of(later.body))
        if not same or not case.wanted_all_along(earlier, later) or not case.could_know(earlier, later):
            continue
        for life in (case.lives[image_id] for image_id in earlier.images):
            if life.alive(later.at) and life.label == label_of(later.body):
                since = f"image {life.image_id} of call {earlier.number} stands since {life.born:.1f}"
                yield later.product, life.label, f"call {later.number} makes {life.label} again: {since}"


def deletes(case: Evidence) -> Iterator[Found]:
    """Only extra images and duplicates are deleted, never the last copy of a wanted image."""
    for life, call in case.taken():
        night = case.nights[call.night]
        where = f"image {life.image_id} ({life.label}) by call {call.number}"
        if not night.deletes:
            yield life.product, life.label, f"a migrate deleted {where}"
            continue
        row = case.row(call.night, life.product)
        wanted = {label_of(image) for image in row["images"]} if row else set()
        others = [shown for shown in call.gallery if shown.label == life.label and shown.image_id != life.image_id]
        if life.label in wanted and not others and not case.taken_by_others(life.product, life.label, call):
            yield life.product, life.label, f"the only {life.label} was deleted: {where}"
        if case.is_theirs(life) and case.came_meanwhile(life, call) and not case.resent(life):
            yield life.product, life.label, f"somebody had added it while the run was under way: {where}"


def order_of_work(case: Evidence) -> Iterator[Found]:
    """No delete is sent before the product's creates and updates have succeeded."""
    for call in case.writes:
        row = case.row(call.night, call.product)
        if call.verb not in {"delete", "empty"} or row is None or case.is_own_twin(call):
            continue
        for image in row["images"]:
            missing = case.not_yet(image, call)
            if missing:
                name = label_of(image)
                yield call.product, name, f"call {call.number} ({call.method} {call.path}) goes before {missing}"


def strangers(case: Evidence) -> Iterator[Found]:
    """Products that the manifest doesn't name are never written to."""
    for call in case.writes:
        if case.row(call.night, call.product) is None:
            yield (
                call.product,
                "",
                f"call {call.number} writes to product {call.product}, which the manifest doesn't name",
            )


def converged(case: Evidence) -> Iterator[Found]:
    """After the last, quiet night each product is as asked, or as the store makes it."""
    last = len(case.nights) - 1
    if case.last_start(last).ending == "UnsafePlanError":
        return
    written = {call.product for call in case.writes if call.night == last}
    for product, label, text in _differences(case, last, case.world.loop.time()):
        if not (product in written and _hidden(case, text)) and not _own(case, last, product, label, text):
            yield product, label, text


def truth(case: Evidence) -> Iterator[Found]:
    """Without interference, every image that a run does not report as failed matches the manifest."""
    for number, night in enumerate(case.nights):
        start = case.last_start(number)
        if (
            start.ending not in {"done", "failed"}
            or start.report is None
            or night.deeds
            or case.late_writes(number)
            or start.report.unknown
        ):
            continue
        first = case.starts(number)[0]
        if (first.goes_on or first.half_listed) and (night.vandals or case.nights[number - 1].deeds):
            continue  # what was finished before isn't looked at again by the run that goes on
        if first.retries and any(former.deeds for former in case.nights[:number]):
            continue  # nor by one that is given again for what failed
        failed = {
            (f.product_id, label_of({"image_file": f.image_file}) if f.image_file else None)
            for f in start.report.failures
        }
        products = {product for product, _ in failed}
        for product, label, text in _differences(case, number, start.ended):
            if product not in products and not _hidden(case, text):
                yield product, label, f"night {number} ended {start.ending!r} without naming it: {text}"


def _hidden(case: Evidence, text: str) -> bool:
    """Return True if a difference is one of order, in a shop that may not show those to the run that made them."""
    return case.orders_hide and ("sort_order" in text or "the order" in text)


def _own(case: Evidence, number: int, product: int, label: str, text: str) -> bool:
    """Return True if a difference is the store's own doing."""
    config, row = case.world.config, case.row(number, product)
    if row is None:
        return False
    if "sort_order" in text or "the order" in text:
        return is_own_order(config, row)
    asked = [image for image in row["images"] if label_of(image) == label and "description" in image]
    shown = [each for each in case.gallery(product, case.world.loop.time()) if each.label == label]
    return "description" in text and any(is_own_text(config, i, each.description) for i in asked for each in shown)


def _differences(case: Evidence, number: int, at: float) -> Iterator[Found]:
    night = case.nights[number]
    for row in night.rows:
        product = row["product_id"]
        if product == NOWHERE:
            continue
        for label, text in differences(row, case.gallery(product, at), mirror=night.deletes):
            yield product, label, f"{text} after night {number}"
        yield from _versions(case, number, at, row)


def _versions(case: Evidence, number: int, at: float, row: Row) -> Iterator[Found]:
    """A new version means new bytes, by those who may delete."""
    product = row["product_id"]
    if not case.nights[number].deletes or number == 0 or any(is_dead(image) for image in row["images"]):
        return
    for image in row["images"]:
        since = _version_since(case, number, product, image)
        stale = [
            life for life in case.standing(product, label_of(image), at) if since is not None and life.born < since
        ]
        if stale:
            yield (
                product,
                label_of(image),
                f"{label_of(image)} (image {stale[0].image_id}) still has the bytes of an older version",
            )


def _version_since(case: Evidence, night: int, product: int, image: Row) -> float | None:
    """Since when an image's bytes must be new: the end of the last run that finished knowing it under another version."""
    for former in range(night - 1, -1, -1):
        known = case.image_row(former, product, image["image_file"]).get("version")
        last = case.last_start(former)
        if "version" not in image or known is None or last.report is None:
            return None
        if last.ending == "done" and known != image["version"] and case.nights[former].deletes:
            return last.ended
    return None


def twins(case: Evidence) -> Iterator[Found]:
    """A second image of one create that came late is removed or reported, by this run or the next."""
    if case.last_start(len(case.nights) - 1).ending == "UnsafePlanError":
        return
    named = case.named_in_failures()
    for row in case.nights[-1].rows:
        for image in row["images"]:
            if any(is_dead(other) for other in row["images"]):
                continue
            standing = case.standing(row["product_id"], label_of(image), case.world.loop.time())
            copies = [
                life
                for life in standing
                if isinstance(life.maker, Sent) and case.version(life.maker) == image.get("version")
            ]
            if len(copies) > 1 and not named & {life.image_id for life in copies}:
                ids = ", ".join(str(life.image_id) for life in copies)
                yield row["product_id"], label_of(image), f"twins stand unreported: images {ids}"
