"""Each reason of a failure must be true, by the shop's history and the calls sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .draw import NOWHERE
from .judge import is_dead, label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imageferry.core.results import Failure

    from .evidence import Evidence
    from .history import Sent

Found = tuple[int, str, str]


def reasons(case: Evidence) -> Iterator[Found]:
    """Every failure that a run reports in the end is true."""
    for number in range(len(case.nights)):
        last = case.last_start(number)
        if last.report is None or last.ending not in {"done", "failed"} or case.starts(number)[0].goes_on:
            continue
        for failure in last.report.failures:
            if not _holds(case, number, failure):
                label = _label(failure)
                said = f"{failure.reason} (status {failure.status}, image {failure.image_id})"
                yield (
                    failure.product_id or 0,
                    label,
                    f"night {number}: nothing bears out the failure of {label}: {said}",
                )


def refusals(case: Evidence) -> Iterator[Found]:
    """Every image that the shop refused to a process is named by it, in a product that was under way when it stopped as well."""
    for start in case.world.starts:
        if start.report is None or start.ending not in {"done", "failed", "interrupted"}:
            continue
        creates = [c for c in case.world.line.sent if c.process == start.number and c.verb == "create"]
        named = {(failure.product_id, _label(failure)) for failure in start.report.failures}
        for call in {(call.product, call.source): call for call in creates}.values():
            label = label_of(call.body)
            refused = call.told == "answered" and call.usable and call.status == 400
            if refused and (call.product, label) not in named and not case.standing(call.product, label, start.ended):
                yield call.product, label, f"process {start.number} doesn't name it; call {call.number} was refused"


def _holds(case: Evidence, night: int, failure: Failure) -> bool:
    began = case.run_of(case.starts(night)[0].number)
    calls = [
        c for c in case.world.line.sent if began <= c.process and c.night <= night and c.product == failure.product_id
    ]
    if failure.status and not any(call.status == failure.status for call in calls):
        return False
    for beginning, judge in _JUDGES.items():
        if beginning in failure.reason:
            return judge(case, night, failure, calls)
    return bool(failure.status) or any(not call.usable for call in calls)


def _changed(case: Evidence, night: int, failure: Failure, calls: list[Sent]) -> bool:
    """Somebody else was there, or one of our own writes landed after its answer was lost."""
    since = case.world.night_began[night] - case.lag
    theirs = any(h.product == failure.product_id and not h.ours and h.at >= since for h in case.world.shop.happenings)
    return theirs or any(case.is_late(call) for call in calls)


def _added(case: Evidence, night: int, failure: Failure, _calls: list[Sent]) -> bool:
    """Somebody added it, or took others away while the pages of the plan's listing were turned."""
    life = case.lives.get(failure.image_id or 0)
    if life is None:
        return False
    began = case.world.night_began[night]
    turned = len(case.gallery(life.product, began)) > 50
    return (not case.is_ours(life) or case.names_lost) and (life.born >= began or turned)


def _second(case: Evidence, night: int, failure: Failure, _calls: list[Sent]) -> bool:
    """Two of that name stood at one time, after the create had been sent twice."""
    life = case.lives.get(failure.image_id or 0)
    if life is None:
        return False
    rivals = [
        other
        for other in case.lives.values()
        if other is not life and (other.product, other.label) == (life.product, life.label)
    ]
    overlap = any(other.alive(life.born) or life.alive(other.born) for other in rivals)
    return case.names_lost or (overlap and life.label == _label(failure))


def _appeared(case: Evidence, night: int, failure: Failure, _calls: list[Sent]) -> bool:
    life = case.lives.get(failure.image_id or 0)
    return life is not None and life.born >= case.world.night_began[night] - case.lag


def _lost(count: int, verb: str) -> Callable[[Evidence, int, Failure, list[Sent]], bool]:
    def judge(case: Evidence, night: int, failure: Failure, calls: list[Sent]) -> bool:
        about = [
            call
            for call in calls
            if call.verb == verb
            and (call.image == failure.image_id if verb == "update" else label_of(call.body) == _label(failure))
        ]
        # An intent that a crash or a cut left without its call, or before it was sent again, counts as lost, too.
        unsent = sum(start.report is None or start.report.unknown > 0 for start in case.starts(night))
        return sum(case.lost_at(call) is not None for call in about) + unsent >= count

    return judge


def _label(failure: Failure) -> str:
    return label_of({"image_file": failure.image_file or ""})


def _unlisted(_case: Evidence, _night: int, _failure: Failure, calls: list[Sent]) -> bool:
    return any(call.verb == "get" and not (call.usable and call.status == 200) for call in calls)


def _version(case: Evidence, night: int, failure: Failure, _calls: list[Sent]) -> bool:
    image = case.image_row(night, failure.product_id or 0, failure.image_file or "")
    return not case.nights[night].deletes and "version" in image


def _unmended(case: Evidence, night: int, failure: Failure, calls: list[Sent]) -> bool:
    """Only where something in fact kept it from being mended."""
    return _changed(case, night, failure, calls) or any(
        call.writes and (call.status >= 400 or not call.usable) for call in calls
    )


def _nowhere(_case: Evidence, _night: int, failure: Failure, _calls: list[Sent]) -> bool:
    return failure.product_id == NOWHERE


def _unfetched(case: Evidence, night: int, failure: Failure, _calls: list[Sent]) -> bool:
    return is_dead(case.image_row(night, failure.product_id or 0, failure.image_file or ""))


def _is_own(case: Evidence, night: int, failure: Failure, calls: list[Sent]) -> bool:
    """The image that is named had the value that is told when the run ended, and not the one asked for; or others came between."""
    product, ended = failure.product_id or 0, case.last_start(night).ended
    there = [each for each in case.gallery(product, ended) if each.image_id == failure.image_id]
    asked = case.image_row(night, product, failure.image_file or "").get(failure.field)
    values = [getattr(each, failure.field or "") for each in there]
    same_number = "among equal values" in failure.reason
    as_told = any((value != asked or same_number) and repr(value)[:57] in failure.reason for value in values)
    return as_told or _changed(case, night, failure, calls)


_JUDGES = {
    "the store keeps": _is_own,
    "somebody changed this product": _changed,
    "this image was not there when the plan was made": _added,
    "a second image of this name": _second,
    "it appeared while a create": _appeared,
    "the answer to its create was lost": _lost(8, "create"),
    "its update was lost": _lost(3, "update"),
    "it can't be listed": _unlisted,
    "its last look failed": _unlisted,
    "its version is new": _version,
    "still not as asked": _unmended,
    "the store has no such product": _nowhere,
    "could not be downloaded": _unfetched,
}
