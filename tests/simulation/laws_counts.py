"""The laws of figures and papers: how a run ends, what its summary says, its journal, its quota."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import orjson

from imageferry.core.checkpoint.ledger import Ledger
from imageferry.core.checkpoint.records import is_whole
from imageferry.core.errors import CheckpointError

from .draw import NOWHERE
from .history import Sent
from .judge import is_dead
from .own_values import changes_texts, is_own_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .evidence import Evidence
    from .program import Start

START_UP = 3
"""429s that a gate may draw before it knows the quota (performance.md section 5)."""

Found = tuple[int, str, str]


def endings(case: Evidence) -> Iterator[Found]:
    """Every process ends in a way that something explains, every night in a result, and a quiet night at once and well."""
    for start in case.world.starts:
        night = case.nights[start.night]
        doomed = {"Crashed", "interrupted", "DiskError"} if night.dooms else set()
        allowed = {"done", "failed", "UnsafePlanError"} | doomed | ({"UnreachableError"} if night.noisy else set())
        if start.ending not in allowed:
            yield 0, "", f"process {start.number} (night {start.night}) ended with {start.ending}: {start.error}"
    for number, night in enumerate(case.nights):
        last = case.last_start(number)
        if last.ending not in {"done", "failed", "UnsafePlanError"} and not night.most:
            yield 0, "", f"night {number} never came to its end: {last.ending}"
        if not night.noisy and last.ending == "failed":
            yield from _unexplained(case, number, last)


def _unexplained(case: Evidence, number: int, start: Start) -> Iterator[Found]:
    """In a quiet night only dead sources fail, with migrate what would need a delete, and what the store makes its own of."""
    report = start.report
    assert report is not None
    for failure in report.failures:
        product, source = failure.product_id or 0, failure.image_file or ""
        image = case.image_row(number, product, source) if source else {}
        if (image and is_dead(image) and failure.status == 400) or (product == NOWHERE and failure.status == 404):
            continue
        if not case.nights[number].deletes and ("version" in image or "second image" in failure.reason):
            continue
        row = case.row(number, product)
        if failure.field == "description" and changes_texts(case.world.config):
            continue
        if failure.field == "sort_order" and row is not None and is_own_order(case.world.config, row):
            continue
        yield product, source.rpartition("/")[2], f"failed in a quiet night: {failure.reason} (status {failure.status})"
    if not report.failures:
        yield 0, "", f"night {number} 'failed' and names no failure (unknown {report.unknown})"


def counts(case: Evidence) -> Iterator[Found]:
    """The summary's created, updated, deleted and adopted are what the shop saw of the run; twins on both sides or on neither."""
    for number, night in enumerate(case.nights):
        last, run = case.last_start(number), _run_of(case, number)
        if (
            last.report is None
            or last.ending not in {"done", "failed"}
            or run is None
            or night.deeds
            or last.report.unknown
        ):
            continue
        if case.names_lost and last.report.failed:
            continue  # among images without names, what is nobody's can't be counted as anybody's
        report, members = last.report, {start.number for start in run}
        made = [
            life
            for life in case.lives.values()
            if isinstance(life.maker, Sent) and life.maker.process in members and life.born <= last.ended
        ]
        late = [life for life in made if isinstance(life.maker, Sent) and case.is_late(life.maker)]
        gone = [
            life
            for life, call in case.taken()
            if call.process in members and life.died is not None and life.died <= last.ended
        ]
        least, most = _updated(case, members, {life.image_id for life in made}, last.ended)
        sources = {(life.product, life.label) for life in made}
        twins_gone = [life for life in gone if life in made]
        pairs = {(len(sources) + len(twins_gone), len(gone)), (len(sources), len(gone) - len(twins_gone))}
        said = (report.created, report.deleted)
        # An image that was gone already may be counted with the deleted ones.
        pairs |= {(one, many + more) for one, many in pairs for more in range(1, _gone_before(case, members) + 1)}
        if said not in pairs and not late and not _taken_late(case, members):
            yield (
                0,
                "",
                f"night {number}: the summary says {said[0]} created, {said[1]} deleted, the shop saw {sorted(pairs)}",
            )
        net, unseen = report.created - report.deleted, _taken_late(case, members)
        if (late or unseen) and not len(sources) - len(gone) - len(late) <= net <= len(made) - len(gone) + unseen:
            yield (
                0,
                "",
                f"night {number}: the summary says {said[0]} created, {said[1]} deleted, the shop saw {len(made)} made ({len(late)} late), {len(gone)} gone",
            )
        if not least <= report.updated <= most and not case.late_writes(number):
            yield 0, "", f"night {number}: the summary says {report.updated} updated, the shop saw {least} to {most}"
        yield from _adopted(case, number, members, report.adopted)


def _taken_late(case: Evidence, members: set[int]) -> int:
    """Images that went after their delete had been answered with an error."""
    return sum(call.process in members and case.is_late(call) for _, call in case.taken())


def _gone_before(case: Evidence, members: set[int]) -> int:
    """Images that were asked to go when they had gone already, as a listing that lags makes one do."""
    calls = [call for call in case.writes if call.process in members]
    asked = {call.image for call in calls if call.verb == "delete" and call.status == 404}
    ours = {life.image_id for life, call in case.taken() if call.process in members}
    in_vain = sum(len(case.lives) for call in calls if call.verb == "empty" and not call.images)
    return len(asked - ours) + in_vain


def _adopted(case: Evidence, number: int, members: set[int], adopted: int) -> Iterator[Found]:
    lost = {
        (call.product, call.source)
        for call in case.writes
        if call.process in members and call.verb == "create" and call.images and case.lost_at(call) is not None
    }
    sure = {
        (call.product, call.source)
        for call in case.writes
        if call.process in members
        and call.verb == "create"
        and call.images
        and case.lost_at(call) is not None
        and not case.is_late(call)
    }
    resent = {
        key for key in lost if sum((c.product, c.source) == key and c.process in members for c in case.writes) > 1
    }
    kept = {key for key in sure if key not in resent}
    if not len(kept) - _ambiguous(case, members) <= adopted <= len(lost):
        yield (
            0,
            "",
            f"night {number}: the summary says {adopted} adopted, the shop saw {len(kept)} to {len(lost)} answers of creates lost",
        )


def _ambiguous(case: Evidence, members: set[int]) -> int:
    """Creates whose answer came right before the process ended: kept or not, nobody can say."""
    return sum(
        call.verb == "create"
        and call.process in members
        and call.told == "answered"
        and call.usable
        and case.lost_at(call) is not None
        for call in case.writes
    )


def _updated(case: Evidence, members: set[int], made: set[int], until: float) -> tuple[int, int]:
    """Images that were written to; a lost write whose image looks right, thanks to a sibling's move, may count as well."""
    doubtful = {
        call.image
        for call in case.writes
        if call.process in members and call.verb == "update" and case.leaves_open(call)
    }
    doubtful |= case.intended - {c.image for c in case.writes if c.process in members and c.verb == "update"}
    ids = {
        image_id
        for call in case.writes
        if call.process in members and call.verb == "update" and (call.committed_at or until + 1) <= until
        for image_id in call.images
    }
    # A process that begins before its listing shows what the former one did takes that as not done; so does one that finds
    # another value than was sent, where the store keeps its own and no answer told so.
    unseen = {
        i
        for call in case.writes
        if (case.lag or _may_look_undone(case, call)) and call.verb == "update" and case.lost_at(call) is not None
        for i in call.images
    }
    return len(ids - made - unseen), len((ids | doubtful) - made)


def _may_look_undone(case: Evidence, call: Sent) -> bool:
    """Return True if an image may show something else after an update than was sent."""
    config = case.world.config
    orders = config.orders != "kept" and "sort_order" in call.body
    return orders or (config.descriptions != "kept" and "description" in call.body)


def _run_of(case: Evidence, night: int) -> list[Start] | None:
    """The processes of the night's last run, from its first start; None where it goes on with an earlier night's.

    A plan is carried out once: given again, `apply` tells what the run came to.
    """
    if case.nights[night].mode.startswith("apply"):
        return None if case.starts(night)[0].goes_on else case.starts(night)
    starts, last = case.starts(night), case.last_start(night)
    if not last.goes_on:
        return [last]
    members = [start for start in starts if last.run_before in (start.run_before, start.run_after)]
    return None if members[0].run_before == last.run_before else members


def journals(case: Evidence) -> Iterator[Found]:
    """A journal replayed from any prefix gives a legal state; what is not whole stands at its end alone."""
    for name, data in case.world.papers.journals():
        ledger = Ledger()
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            if not is_whole(line):
                if number < len(lines):
                    yield 0, "", f"journal {name}: line {number} of {len(lines)} is not whole"
                break
            try:
                if number > 1:
                    ledger.apply(orjson.loads(line))
            except CheckpointError as error:
                yield 0, "", f"journal {name}, line {number}: {error}"
                break


def quota(case: Evidence) -> Iterator[Found]:
    """Our own calls never overdraw the quota by more than what a process may before it knows it."""
    config = case.world.config
    if config.quota is None or config.other_rate or any(night.quotas for night in case.nights):
        return
    entries = case.world.conductor.log.entries()
    refused = Counter(entry.app for entry in entries if entry.status == 429 and entry.fault is None)
    for process, count in refused.items():
        if count > START_UP:
            yield 0, "", f"the quota refused {count} calls of {process}"


def requests(case: Evidence) -> Iterator[Found]:
    """The summary's requests are all that went over the line; nothing is sent behind the engine's back."""
    sent = Counter(call.process for call in case.world.line.sent)
    for start in case.world.starts:
        if start.report is not None and start.requests != sent[start.number]:
            yield (
                0,
                "",
                f"process {start.number} says {start.requests} requests, {sent[start.number]} went over the line",
            )
