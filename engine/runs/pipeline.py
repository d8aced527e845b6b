"""The stages that the verbs compose: a run with its parts, a proposal of a plan, and applying a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.plan.proposal import Proposal
from ..core.results import MOST_FAILURES
from .opening import _count
from .run import Ferry

if TYPE_CHECKING:
    from pathlib import Path

    from ..disk.checkpoint.file import Checkpoint
    from ..disk.plan_file import PlanFile
    from ..transport.client import Gate
    from ..transport.store import Store
    from .context import Job


def propose(job: Job, made: PlanFile, path: str, gate: Gate, refusal: str | None) -> Proposal:
    """A plan as a person is to read it, with what it costs at the quota in force."""
    summary, report = made.summary, job.report
    summary.tell(report)
    report.failed = summary.failed
    report.failures.clear()
    for batch in made.batches():
        if len(report.failures) < MOST_FAILURES:
            report.failures += batch.failures + batch.left_alone
    calls = summary.calls(relist=True)
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
    else:
        await ferry.keep_failed(job.report)


def new_ferry(job: Job, checkpoint: Checkpoint, store: Store, gate: Gate, files: Path) -> Ferry:
    """A ferry with all that this job was given."""
    return Ferry(checkpoint, store, gate, job.options, job.seams, job.progress, job.stop, files, job.cut)
