"""Compares the store with a manifest and writes nothing to it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..core.plan.differences import differences
from ..core.results import MOST_FAILURES, Report
from ..runs.context import Ports, new_context, reporting_outcome
from ..runs.opening import checkpoint_path, connected, count_before, header_for, load_without_lock, read_manifest
from ..runs.planner import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from ..disk.plan_file import PlanFile
    from ..options import Access, Options
    from ..progress import Progress, Stop


async def verify(
    access: Access,
    manifest: str | Path,
    options: Options | None = None,
    *,
    delete: bool = True,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Ports | None = None,
) -> Report:
    """List and compare only; every difference is a failure of the report, surplus images too unless not `delete`.

    Raises FerryError.
    """
    job = new_context("verify", access, options, progress, stop, seams)
    checkpoint_file = checkpoint_path(manifest, job.options)
    job.report.checkpoint = str(checkpoint_file)
    with ExitStack() as opened:
        checkpoint = load_without_lock(job, opened, checkpoint_file)
        wanted = opened.enter_context(read_manifest(job, manifest, checkpoint))
        path = checkpoint.paths.temporary(".verify")
        async with (
            reporting_outcome(job),
            connected(access, job.options, job.ports, job.progress, job.stop) as (store, gate),
        ):
            header = header_for(job, "sync" if delete else "migrate", wanted, checkpoint)
            await count_before(job, store)
            made = await make_plan(job, wanted, checkpoint, store, gate, path, header)
            _judge_differences(job.report, made)
    return job.report


def _judge_differences(report: Report, made: PlanFile) -> None:
    made.summary.tell(report)
    for batch in made.batches():
        found = differences(batch)
        report.failed += len({(f.image_file, f.image_id) for f in found})
        if len(report.failures) < MOST_FAILURES:
            report.failures += found
    del report.failures[MOST_FAILURES:]
    report.outcome = "failed" if report.failed else "done"
