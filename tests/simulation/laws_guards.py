"""The guards: what a run must not do by itself, reckoned up anew from the shop's memory and the manifests."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from .draw import NOWHERE
from .history import Life, Sent
from .judge import label_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .evidence import Evidence

FLOOR, SHARE = 10, 0.3
"""Below so many images a share says nothing; over so large a part is too much (contract, Settings)."""

Found = tuple[int, str, str]


def guards(case: Evidence) -> Iterator[Found]:
    """No more is deleted than --max-deletes allows; a refused run writes nothing, nor does one that had to be refused."""
    for number in range(len(case.nights)):
        last = case.last_start(number)
        wrote = [call for call in case.writes if call.night == number]
        refused = [call for call in wrote if call.process == last.number]
        if last.ending == "UnsafePlanError" and refused:
            yield 0, "", f"process {last.number} was refused and wrote all the same (call {refused[0].number})"
        if wrote and not case.starts(number)[0].goes_on and (why := _objection(case, number)):
            yield wrote[0].product, "", f"night {number} had to be refused and wrote (call {wrote[0].number}): {why}"
    yield from _too_many(case)


def _too_many(case: Evidence) -> Iterator[Found]:
    """Return the permissions of a run, which may be resumed later."""
    gone: dict[int, list[tuple[Life, Sent]]] = {}
    for life, call in case.taken():
        run = case.run_of(call.process)
        if not _is_replaced(case, life, run):
            gone.setdefault(run, []).append((life, call))
    for process, taken in gone.items():
        start = case.world.starts[process - 1]
        allowed = _allowed_deletes(case, start.night, start.began)
        alone = not any(night.deeds for night in case.nights[start.night : taken[-1][1].night + 1])
        if alone and len(taken) > allowed:
            said = (
                f"{len(taken)} images were deleted by the run that began as process {process}, {allowed} were allowed"
            )
            yield taken[0][0].product, taken[0][0].label, said


def _is_replaced(case: Evidence, life: Life, run: int) -> bool:
    """Return True if another image of that label was made by the run that began with this process."""
    return any(
        (other.product, other.label) == (life.product, life.label)
        and isinstance(other.maker, Sent)
        and case.run_of(other.maker.process) == run
        for other in case.lives.values()
    )


def _allowed_deletes(case: Evidence, night: int, began: float) -> float:
    """Return the number of deletes that --max-deletes allows."""
    said = case.world.scenario.settings["max_deletes"]
    if not said.endswith("%"):
        return float(said)
    products = {row["product_id"] for row in case.nights[night].rows}
    existing = sum(len(case.gallery(product, began)) for product in products)
    return inf if existing < FLOOR else int(existing * float(said[:-1]) / 100 + 1e-9)


def _objection(case: Evidence, night: int) -> str | None:
    """Return the reason that a guard must refuse this run, compared with the one before it."""
    former = night - 1
    if case.world.scenario.settings["allow"] or former < 0 or case.last_start(former).ending != "done":
        return None
    was, wanted = _wanted(case, former), _wanted(case, night)
    if was >= FLOOR and wanted < was * (1 - SHARE):
        return f"the manifest wants {wanted} images, it wanted {was}"
    known, listed = _known(case, former, night), _listed(case, night)
    began = case.world.night_began[night] - case.lag
    lost = [life for life in known if life.product in listed and not life.alive(began)]
    if len(known) >= FLOOR and len(lost) > len(known) * SHARE + 1:
        return f"{len(lost)} of {len(known)} images that were known are gone"
    return None


def _listed(case: Evidence, night: int) -> set[int]:
    """The products that could be listed before the night's first write; what couldn't be isn't missed, what isn't there (404) is."""
    calls = [call for call in case.world.line.sent if call.night == night]
    first = next(call.number for call in calls if call.writes)
    return {call.product for call in calls if call.verb == "get" and call.usable and call.number < first}


def _wanted(case: Evidence, night: int) -> int:
    return sum(len(row["images"]) for row in case.nights[night].rows)


def _known(case: Evidence, former: int, night: int) -> list[Life]:
    """The images that the former night left as wanted, of products that are named again."""
    ended = case.last_start(former).ended
    known: list[Life] = []
    for row in case.nights[former].rows:
        product = row["product_id"]
        if product == NOWHERE or case.row(night, product) is None:
            continue
        for image in row["images"]:
            standing = case.standing(product, label_of(image), ended)
            known += standing if len(standing) == 1 else []
    return known
