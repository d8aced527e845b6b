"""The verbs that look and write nothing to the store: plan, review, verify."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import CheckpointError, SettingsError
from ..core.plan.proposal import Proposal
from ..core.plan.summary import Summary
from ..disk.checkpoint.undo_state import open_undo
from ..runs.context import new_context, reporting_outcome
from ..runs.opening import (
    check_output,
    checkpoint_path,
    connected,
    count_before,
    header_for,
    load_without_lock,
    open_checkpoint,
    place_for_dry_run,
    read_manifest,
    read_plan,
)
from ..runs.pipeline import new_run, propose
from ..runs.planner import make_plan

if TYPE_CHECKING:
    from ..core.results import Report
    from ..disk.checkpoint.file import Checkpoint
    from ..options import Access, Options
    from ..progress import Progress, Stop
    from ..runs.context import Ports, RunContext


async def plan(
    access: Access,
    manifest: str | Path,
    options: Options | None = None,
    *,
    delete: bool = True,
    output: Path | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Ports | None = None,
) -> Proposal:
    """List, diff, and say what sync (or, without `delete`, migrate) would change and cost; writes the plan file.

    A `dry_run`, or an `output` in another folder than the checkpoint's, takes no lock and writes nothing beside the
    checkpoint; where a dry run can't write beside the manifest, its plan lies in a folder below the system's temporary one.
    Raises FerryError; a guard's objection is told in `refusal`, since the plan is made all the same.
    """
    job = new_context("plan", access, options, progress, stop, seams)
    checkpoint_file = checkpoint_path(manifest, job.options)
    job.report.checkpoint = str(checkpoint_file)
    path = output or default_plan_path(manifest, checkpoint_file)
    check_output(path, Path(manifest), checkpoint_file)
    if path.name.lower().endswith(".gz"):
        raise SettingsError(f"-o {path}: a plan is not packed, so its name must not say so; give one without .gz")
    looks = dry_run or (output is not None and output.absolute().parent != checkpoint_file.parent)
    if dry_run and output is None:
        path = place_for_dry_run(path)
    proposal: Proposal | None = None
    with ExitStack() as opened:
        checkpoint = (load_without_lock if looks else open_checkpoint)(job, opened, checkpoint_file)
        _say_open_undo(job, checkpoint)
        wanted = opened.enter_context(read_manifest(job, manifest, checkpoint))
        async with (
            reporting_outcome(job),
            connected(access, job.options, job.ports, job.progress, job.stop) as (store, gate),
        ):
            header = header_for(job, "sync" if delete else "migrate", wanted, checkpoint)
            await count_before(job, store)
            made = await make_plan(job, wanted, checkpoint, store, gate, path, header)
            objection = new_run(job, checkpoint, store, gate, path).guard_refusal(made)
            proposal = propose(job, made, str(path), gate, objection)
    return proposal or _nothing(job.report)


def _say_open_undo(job: RunContext, checkpoint: Checkpoint) -> None:
    """What is planned can't be carried out while an undo is open; to look is allowed."""
    with suppress(CheckpointError):
        undo = open_undo(job.ports.disk, checkpoint)
        if undo is not None:
            job.progress.notify(undo.refusal)


def _nothing(report: Report) -> Proposal:
    """What is proposed where the run was interrupted before there was a plan."""
    return Proposal(report, Summary(), 0, 0.0, None, None, "", None)


async def review(
    access: Access,
    plan_file: str | Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Ports | None = None,
) -> Proposal:
    """What `apply` would do with a plan file, judged by the guards and priced at the quota in force; writes nothing.

    Raises FerryError; a guard's objection is told in `refusal`.
    """
    job = new_context("apply", access, options, progress, stop, seams)
    made = read_plan(access, plan_file, job.ports)
    checkpoint_file = job.options.checkpoint or Path(made.header.checkpoint)
    job.report.checkpoint = str(checkpoint_file)
    proposal: Proposal | None = None
    with ExitStack() as opened:
        checkpoint = load_without_lock(job, opened, checkpoint_file)
        async with (
            reporting_outcome(job),
            connected(access, job.options, job.ports, job.progress, job.stop) as (store, gate),
        ):
            await count_before(job, store)
            objection = new_run(job, checkpoint, store, gate, Path(made.header.files)).guard_refusal(made)
            proposal = propose(job, made, str(Path(plan_file).absolute()), gate, objection)
    return proposal or _nothing(job.report)


def default_plan_path(manifest: str | Path, checkpoint: Path) -> Path:
    """Where `plan` writes without -o: the manifest's path with `.plan` added."""
    if str(manifest) == "-":
        return checkpoint.with_name(checkpoint.name + ".proposed")
    path = Path(manifest).absolute()
    return path.with_name(path.name + ".plan")
