"""The steps that the verbs share: open the checkpoint, count the images, propose a plan, carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .checkpoint import Checkpoint
from .core.errors import RefusedError
from .core.report import MOST_FAILURES, Report
from .lock import held

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from .core.plan import Summary
    from .ferry import Ferry
    from .gate import Gate
    from .planfile import PlanFile
    from .store import Store
    from .telling import Job


@dataclass(slots=True)
class Proposal:
    """A plan that waits for a person: what it would change, what it costs, where it lies, and why a guard objects."""

    report: Report
    summary: Summary
    calls: int
    seconds: float
    quota: int | None
    plan: str | None
    digest: str
    refusal: str | None


def open_checkpoint(job: Job, opened: ExitStack, path: Path) -> Checkpoint:
    """Lock and load a checkpoint; what a crash left to be tidied is tidied.

    Raises DiskError, LockedError, CheckpointError.
    """
    opened.enter_context(held(job.seams, path, job.command))
    checkpoint = Checkpoint(job.seams.disk, path, job.access.store)
    checkpoint.load()
    if checkpoint.stale:
        checkpoint.retire(changed=bool((checkpoint.header or {}).get("changed")))
    if job.options.backup is not None:
        job.seams.disk.make_folder(job.options.backup.absolute())
    if job.options.fresh:
        for aside in checkpoint.set_aside(int(job.seams.now())):
            job.progress.say(f"set aside as {aside}")
    return checkpoint


async def count_before(job: Job, store: Store) -> None:
    """The first call: it also tells at once whether the credentials are good."""
    job.progress.begin("connecting")
    job.report.images_before = await _count(store)


def propose(job: Job, made: PlanFile, path: str, gate: Gate, refusal: str | None) -> Proposal:
    """A plan as a person is to read it, with what it costs at the quota in force."""
    summary, report = made.summary, job.report
    summary.tell(report)
    report.failed = summary.failed
    for batch in made.batches():
        if len(report.failures) < MOST_FAILURES:
            report.failures += batch.failures + batch.left_alone
    calls = summary.calls(relist=made.header.mode != "undo")
    return Proposal(report, summary, calls, gate.seconds_for(calls), gate.traffic().quota, path, made.digest, refusal)


async def carry_plan(job: Job, ferry: Ferry, made: PlanFile, store: Store, *, relist: bool) -> None:
    """Carry a plan to its end or as far as it goes, and tell it in the report."""
    try:
        complete = await ferry.carry(job.command, made, relist=relist)
    finally:
        ferry.tell(job.report)
    if complete:
        job.report.images_after = await _count(store)
    if job.stop.reason:
        job.report.notes.append(job.stop.reason)
    if job.stop.draining and not complete and not job.stop.reason:
        job.report.outcome = "interrupted"
    elif job.report.failed or job.report.unknown or not complete:
        job.report.outcome = "failed"
    if complete:
        await ferry.finish(job.report)


async def _count(store: Store) -> int | None:
    """The store's image count informs and doesn't judge: where the store won't tell it, the run goes on without."""
    try:
        return await store.count()
    except RefusedError as error:
        if 300 <= error.status < 400:
            raise
        return None
