"""The verbs that write: migrate, sync, apply. Each opens what it needs, in the order in which faults end a run.

That order is the contract's: settings, the checkpoint's folder and lock, checkpoint, manifest, credentials, guards.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import CheckpointError, UnsafePlanError
from ..disk.checkpoint.undo_state import GIVEN_UP, open_undo, set_aside
from ..disk.plan_file import PlanFile
from ..runs.context import new_context, reporting_outcome
from ..runs.opening import (
    checkpoint_path,
    connected,
    count_before,
    failed_alone,
    files_folder,
    header_for,
    open_checkpoint,
    read_manifest,
    read_plan,
)
from ..runs.pipeline import apply_plan, new_run
from ..runs.planner import make_plan
from ..runs.product.io import seen_by
from ..runs.resume import resolve_prior_run, settle_fresh

if TYPE_CHECKING:
    from ..core.results import Report
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.checkpoint.undo_state import OpenUndo
    from ..options import Access, Options
    from ..progress import Progress, Stop
    from ..runs.context import Ports, RunContext
    from ..transport.client import ApiClient
    from ..transport.store import Store


async def migrate(
    access: Access,
    manifest: str | Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Ports | None = None,
) -> Report:
    """Create and update what the manifest wants, and delete nothing.

    Raises FerryError (its subclasses say what to do); the checkpoint lets the same call go on after that.
    """
    return await _carry_manifest(new_context("migrate", access, options, progress, stop, seams), manifest)


async def sync(
    access: Access,
    manifest: str | Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Ports | None = None,
) -> Report:
    """Bring the products that the manifest names to exactly what it says; deletes are guarded.

    Raises FerryError; UnsafePlanError where a guard refused and nothing was written.
    """
    return await _carry_manifest(new_context("sync", access, options, progress, stop, seams), manifest)


async def apply(
    access: Access,
    plan_file: str | Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Ports | None = None,
) -> Report:
    """Carry out a plan file that a person has read; a product changed since is left alone and reported.

    Raises FerryError; CheckpointError where the plan is damaged or for another store.
    """
    job = new_context("apply", access, options, progress, stop, seams)
    plan = read_plan(access, plan_file, job.ports)
    checkpoint_file = job.options.checkpoint or Path(plan.header.checkpoint)
    job.report.checkpoint = str(checkpoint_file)
    with ExitStack() as opened:
        checkpoint = open_checkpoint(job, opened, checkpoint_file)
        undo = _open_undo(job, checkpoint)
        async with (
            reporting_outcome(job),
            connected(access, job.options, job.ports, job.progress, job.stop) as (store, gate),
        ):
            ferry = new_run(job, checkpoint, store, gate, job.options.files or Path(plan.header.files))
            set_aside = checkpoint.open_run is not None and job.options.fresh
            if undo is None and not set_aside:
                checkpoint.reopen(plan.digest)
            former = None if set_aside else ferry.resume("apply", None, plan.digest)
            ferry.fill(job.report)
            await count_before(job, store)
            await _give_up(job, checkpoint, undo, store, gate)
            if former is None:
                await (settle_fresh(ferry) if set_aside else resolve_prior_run(ferry))
                ferry.check_guards(plan)
                former = await _copy_plan(job, checkpoint, plan, Path(plan_file))
            await apply_plan(job, ferry, former, store, recheck_first=True)
    return job.report


async def _carry_manifest(job: RunContext, manifest: str | Path) -> Report:
    checkpoint_file = checkpoint_path(manifest, job.options)
    job.report.checkpoint = str(checkpoint_file)
    with ExitStack() as opened:
        checkpoint = open_checkpoint(job, opened, checkpoint_file)
        undo = _open_undo(job, checkpoint)
        wanted = opened.enter_context(read_manifest(job, manifest, checkpoint))
        async with (
            reporting_outcome(job),
            connected(job.access, job.options, job.ports, job.progress, job.stop) as (store, gate),
        ):
            ferry = new_run(job, checkpoint, store, gate, files_folder(job, manifest))
            header = header_for(job, job.command, wanted, checkpoint, resumable=True)
            made = None if job.options.fresh else ferry.resume(job.command, header, None)
            ferry.fill(job.report)
            await count_before(job, store)
            await _give_up(job, checkpoint, undo, store, gate)
            if made is None:
                await (settle_fresh(ferry) if job.options.fresh else resolve_prior_run(ferry))
                only = failed_alone(job, checkpoint, header)
                made = await make_plan(job, wanted, checkpoint, store, gate, checkpoint.paths.plan, header, only)
                ferry.check_guards(made)
            await apply_plan(job, ferry, made, store, recheck_first=False)
    return job.report


def _open_undo(job: RunContext, checkpoint: Checkpoint) -> OpenUndo | None:
    """The undo that is open; with --fresh one that can't be read any more is renamed out of the way.

    Raises CheckpointError.
    """
    try:
        return open_undo(job.ports.disk, checkpoint)
    except CheckpointError:
        if not job.options.fresh:
            raise
        _set_aside(job, checkpoint)
        return None


async def _give_up(
    job: RunContext, checkpoint: Checkpoint, undo: OpenUndo | None, store: Store, gate: ApiClient
) -> None:
    """With --fresh an undo that is open is given up: what it has in doubt is settled, and it is remembered, but no more open.

    Raises UnsafePlanError without --fresh.
    """
    if undo is None:
        return
    if not job.options.fresh:
        raise UnsafePlanError(undo.refusal)
    own = undo.own
    try:
        await resolve_prior_run(new_run(job, own, store, gate, checkpoint.paths.checkpoint.parent))
        await own.compact({**(own.header or {}), "state": GIVEN_UP}, seen_by(own), ())
    except CheckpointError:
        _set_aside(job, checkpoint)
        return
    if checkpoint.open_run is None and checkpoint.header is not None:
        # What the undo took back is not as the run's listing showed it: all has to be listed anew.
        await checkpoint.compact({**checkpoint.header, "listed_at": 0.0}, seen_by(checkpoint), ())
        checkpoint.load()
    job.progress.notify(
        f"the undo that was not finished is given up; {own.paths.checkpoint} remembers what it took back"
    )


def _set_aside(job: RunContext, checkpoint: Checkpoint) -> None:
    for aside in set_aside(job.ports.disk, checkpoint, int(job.ports.now())):
        job.progress.notify(f"set aside as {aside}")


async def _copy_plan(job: RunContext, checkpoint: Checkpoint, made: PlanFile, source: Path) -> PlanFile:
    """The run keeps a copy of the plan that it carries out, so that it can be resumed whatever becomes of the original."""
    disk, copy = job.ports.disk, checkpoint.paths.sibling(".plan.new")
    file = disk.create(copy)
    try:
        for line in disk.lines(source.absolute()):
            file.write(line)
        await file.sync()
    finally:
        file.close()
    await disk.replace(copy, checkpoint.paths.plan)
    taken = PlanFile(disk, checkpoint.paths.plan)
    if taken.digest != made.digest:
        raise CheckpointError(f"{source}: the plan changed while it was read; give the command again")
    return taken
