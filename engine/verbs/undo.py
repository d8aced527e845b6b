"""Takes a run back: reads its history, plans with a fresh listing, asks, and carries that plan with the same care.

Undo has a checkpoint of its own, CHECKPOINT.undo.json; the run's own checkpoint is held meanwhile, and unlearns what
was taken back.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from ..clock import shown_time
from ..core.errors import CheckpointError, SettingsError, UnsafePlanError
from ..core.text import in_words
from ..core.undo.revert import identities_before
from ..disk.checkpoint.identities import learned_identities
from ..disk.checkpoint.run_files import UNDONE
from ..disk.checkpoint.undo_state import undo_checkpoint
from ..disk.plan_file import START_AGAIN, PlanFile
from ..images.backup_copies import BackupCopies
from ..images.backup_index import INDEX
from ..options import Options
from ..runs.context import Interrupted, Ports, RunContext, new_context, reporting_outcome
from ..runs.opening import connected, count_before, load_without_lock, open_checkpoint, place_for_dry_run
from ..runs.pipeline import apply_plan, propose
from ..runs.product.io import seen_by
from ..runs.resume import resolve_prior_run
from ..runs.run import Run
from ..runs.undo_planner import plan_undo, undo_header, unsure_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ..core.identities import IdentityMap
    from ..core.plan.proposal import Proposal
    from ..core.results import Report
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.checkpoint.run_files import OpenRun
    from ..options import Access
    from ..progress import Progress, Stop
    from ..runs.undo_planner import History
    from ..transport.client import ApiClient
    from ..transport.store import Store

    Approve = Callable[[Proposal], Awaitable[bool]]


async def undo(
    access: Access,
    checkpoint: str | Path,
    options: Options | None = None,
    *,
    approve: Approve,
    dry_run: bool = False,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Ports | None = None,
) -> Report:
    """Take back what the run of this checkpoint did; `approve` is shown the plan first and may say no.

    `Options.backup` is the folder that the run kept its pictures in; without it deleted images can't come back. In a product
    of which former images can't come back, nothing is deleted unless `Options.allow_loss` says so.

    A `dry_run` shows the plan, takes no lock and writes nothing beside the checkpoint but the plan; it is never approved.

    Raises FerryError; UnsafePlanError where the plan was not approved, and then nothing was written.
    """
    job = new_context("undo", access, options, progress, stop, seams)
    path = Path(checkpoint).absolute()
    own = undo_checkpoint(path)
    job.report.checkpoint = str(own)
    with ExitStack() as opened:
        _check(job, path)
        opening = load_without_lock if dry_run else open_checkpoint
        done, kept = opening(job, opened, path), opening(job, opened, own)
        if (done.header or {}).get("state") == UNDONE and done.history() is None:
            job.report.notes.append("the run was taken back already; there is nothing left to undo")
            return job.report
        async with (
            reporting_outcome(job),
            connected(job.access, job.options, job.ports, job.progress, job.stop) as (store, gate),
        ):
            await _undo(job, done, kept, store, gate, approve, dry_run=dry_run)
    return job.report


async def _undo(
    job: RunContext,
    done: Checkpoint,
    kept: Checkpoint,
    store: Store,
    gate: ApiClient,
    approve: Approve,
    *,
    dry_run: bool,
) -> None:
    folder = _folder(job, done, kept)
    ferry = Run(kept, store, gate, _without_backup(job.options), job.ports, job.progress, job.stop, folder, job.cut)
    history, told = _history(job, done)
    header = undo_header(job, done, kept, folder, history.digest)
    copies = BackupCopies(
        job.ports.disk, folder, job.access.store, told.ledger.courses, named=folder != done.paths.checkpoint.parent
    )
    made = ferry.resume("undo", header, None)
    ferry.fill(job.report)
    await count_before(job, store)
    path = kept.paths.sibling(".plan")
    if made is None or not _can_still_give(made, kept, copies):
        if dry_run:
            path = place_for_dry_run(kept.paths.sibling(".proposed"))
        else:
            await resolve_prior_run(ferry)
            await _wait_for_doubts(job, done, told)
        made = await plan_undo(job, done, (history, told), kept, store, gate, header, copies, path)
    job.report.notes += [loss for batch in made.batches() for loss in batch.losses]
    proposal = propose(job, made, str(path), gate, None)
    proposal.about = f"only {_named(told.header)} is taken back; what earlier runs did stays"
    if not await approve(proposal) or dry_run:
        raise UnsafePlanError("the undo was not approved, so nothing was written. Give --yes to approve it unasked")
    standing = _left_standing(made)
    await _close(job, done, history)
    await apply_plan(job, ferry, made, store, recheck_first=True)
    if job.report.outcome in {"done", "failed"} and not job.stop.stopping:
        await _drop_identities(job, done, kept, copies, standing)


def _folder(job: RunContext, done: Checkpoint, kept: Checkpoint) -> Path:
    """Where the pictures are: --backup, else what the undo that is gone on with was given."""
    if job.options.backup is not None:
        return job.options.backup.absolute()
    before = kept.history() if kept.open_run is None else (kept.paths.plan, kept.open_run)
    if before is not None and job.ports.disk.size(before[0]):
        plan = PlanFile(job.ports.disk, before[0], START_AGAIN)
        if plan.header.manifest == str(done.paths.checkpoint):
            return Path(plan.header.files)
    return done.paths.checkpoint.parent


def _can_still_give(made: PlanFile, kept: Checkpoint, copies: BackupCopies) -> bool:
    """Whether the pictures that a plan brings back are still what was kept: the folder may have been harmed since it was made."""
    over = kept.open_run.ledger.finished if kept.open_run is not None else ()
    return all(
        copies.is_intact(batch.product.images[create.row].image_file, batch.product_id)
        for batch in made.batches(but=over)
        for create in batch.changes.creates
    )


async def _wait_for_doubts(job: RunContext, done: Checkpoint, told: OpenRun) -> None:
    """What the run sent last, and had no answer to, may still happen: until a settle after it no listing tells.

    Raises Interrupted.
    """
    seconds = unsure_for(job, done)
    if not told.ledger.unconfirmed() or not seconds:
        return
    job.progress.notify(
        f"waiting {in_words(seconds)}: the run had no answer to some calls, which may still happen (--settle)"
    )
    with anyio.move_on_after(seconds) as scope:
        job.stop.on_stop(scope.cancel)
        await anyio.sleep_forever()
    if job.stop.stopping:
        raise Interrupted


async def _close(job: RunContext, done: Checkpoint, history: PlanFile) -> None:
    """A run that never came to its end is over once undo writes: it must not be gone on with as if nothing had happened."""
    unfinished = done.open_run
    if unfinished is None:
        return
    learned = learned_identities(job.ports.disk, done.paths.journal, history, unfinished.ledger)
    kept = {key: value for key, value in (done.header or {}).items() if key in {"wanted", "report"}}
    over = {"state": "interrupted", "finished_at": job.ports.now(), "changed": True}
    await done.compact({**unfinished.header, **kept, **over}, seen_by(done), learned)
    done.open_run = None
    done.load()


def _check(job: RunContext, checkpoint: Path) -> None:
    """A mistyped name must not look like a run that changed nothing, or a backup that holds nothing.

    Raises CheckpointError, SettingsError.
    """
    disk, folder = job.ports.disk, job.options.backup
    if disk.size(checkpoint) is None and disk.size(checkpoint.with_name(checkpoint.name + ".journal")) is None:
        raise CheckpointError(f"{checkpoint}: there is no such checkpoint, so there is nothing to undo")
    if folder is not None and disk.size(folder.absolute() / INDEX) is None:
        raise SettingsError(f"--backup {folder}: there is no backup in it ({INDEX} is missing); nothing was written")


def _without_backup(options: Options) -> Options:
    """What the run created need not be kept when it goes."""
    return Options(**{name: getattr(options, name) for name in Options.__slots__ if name != "backup"})


def _history(job: RunContext, done: Checkpoint) -> History:
    found = done.history()
    missing = done.missing_history()
    if missing is not None and (found is None or found[0] == missing):
        raise CheckpointError(
            f"{missing}: this part of the checkpoint is missing, and without it nothing can be undone. If the checkpoint was "
            "copied, copy everything whose name begins like its own"
        )
    if found is None:
        raise CheckpointError(
            f"{done.paths.checkpoint}: no run of this checkpoint has changed anything, so there is nothing to undo"
        )
    plan, told = found
    made = PlanFile(job.ports.disk, plan)
    if made.digest != told.header.get("plan"):
        raise CheckpointError(f"{plan}: this is not the plan of the run in {done.paths.journal}; it can't be undone")
    return made, told


def _named(header: dict[str, Any]) -> str:
    return f"the `{header.get('command')}` that began at {shown_time(header.get('started_at', 0))}"


async def _drop_identities(
    job: RunContext, done: Checkpoint, kept: Checkpoint, copies: BackupCopies, standing: dict[int, set[int]]
) -> None:
    """The run's checkpoint forgets what was taken back, so that the next run does not miss it, and learns the new ids."""
    history, told = _history(job, done)
    restored = dict(kept.identities())

    def learned() -> Iterator[tuple[int, IdentityMap]]:
        for batch in history.batches():
            course = told.ledger.courses.get(batch.product_id)
            if course is not None:
                pictures, back = copies.all_files(batch.product_id), restored.get(batch.product_id, {})
                stands = standing.get(batch.product_id, set())
                yield batch.product_id, identities_before(batch, course, pictures, back, stands)

    seen = seen_by(done)
    await done.compact({**(done.header or told.header), "state": UNDONE, "changed": True}, seen, learned())
    if job.report.outcome == "done":
        done.drop_history()


def _left_standing(made: PlanFile) -> dict[int, set[int]]:
    """The images that a plan leaves where they are, in the products that it can't take back whole."""
    return {
        batch.product_id: {image.image_id for image in batch.present} - set(batch.changes.deletes)
        for batch in made.batches()
        if batch.skipped
    }
