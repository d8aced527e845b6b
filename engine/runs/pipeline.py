"""The stages that the verbs compose: a run with its parts, a proposal of a plan, and applying a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.plan.proposal import Proposal
from ..core.results import MOST_FAILURES
from .opening import count_images
from .run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from ..disk.checkpoint.file import Checkpoint
    from ..disk.plan_file import PlanFile
    from ..transport.client import ApiClient
    from ..transport.store import Store
    from .context import RunContext


def propose(job: RunContext, made: PlanFile, path: str, gate: ApiClient, refusal: str | None) -> Proposal:
    """A plan as a person is to read it, with what it costs at the quota in force."""
    summary, report = made.summary, job.report
    summary.tell(report)
    report.failed = summary.failed
    report.failures.clear()
    for batch in made.batches():
        if len(report.failures) < MOST_FAILURES:
            report.failures += batch.failures + batch.skipped
    calls = summary.calls(relist=True)
    return Proposal(report, summary, calls, gate.seconds_for(calls), gate.traffic().quota, path, made.digest, refusal)


async def apply_plan(job: RunContext, run: Run, plan: PlanFile, store: Store, *, recheck_first: bool) -> None:
    """Carry a plan to its end or as far as it goes, and tell it in the report."""
    try:
        complete = await run.apply(job.command, plan, recheck_first=recheck_first)
    finally:
        run.fill(job.report)
    if complete:
        job.report.images_after = await count_images(store)
    if job.stop.reason:
        job.report.notes.append(job.stop.reason)
    if job.stop.stopping and not complete and not job.stop.reason:
        job.report.outcome = "interrupted"
    elif job.report.failed or job.report.unknown or not complete:
        job.report.outcome = "failed"
    if complete:
        await run.finish(job.report)
    else:
        await run.write_failed(job.report)


def new_run(job: RunContext, checkpoint: Checkpoint, store: Store, client: ApiClient, files: Path) -> Run:
    """A ferry with all that this job was given."""
    return Run(checkpoint, store, client, job.options, job.ports, job.progress, job.stop, files, job.cut)
