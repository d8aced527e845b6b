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
from ..core.undo.revert import as_before
from ..disk.checkpoint.identities import lessons
from ..disk.checkpoint.run_files import UNDONE
from ..disk.checkpoint.undo_state import undo_checkpoint
from ..disk.plan_file import START_AGAIN, PlanFile
from ..images.backup_copies import Copies
from ..images.backup_index import INDEX
from ..options import Options
from ..runs.context import Interrupted, Job, Seams, new_job, telling
from ..runs.opening import connected, count_before, look_at, open_checkpoint, place_for_dry_run
from ..runs.pipeline import carry_plan, propose
from ..runs.product.io import seen_by
from ..runs.run import Ferry
from ..runs.undo_planner import _header, _plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ..core.identities import Memory
    from ..core.plan.proposal import Proposal
    from ..core.results import Report
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.checkpoint.run_files import Unfinished
    from ..options import Access
    from ..progress import Progress, Stop
    from ..runs.undo_planner import History
    from ..transport.client import Gate
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
    seams: Seams | None = None,
) -> Report:
    """Take back what the run of this checkpoint did; `approve` is shown the plan first and may say no.

    `Options.backup` is the folder that the run kept its pictures in; without it deleted images can't come back. In a product
    of which former images can't come back, nothing is deleted unless `Options.allow_loss` says so.

    A `dry_run` shows the plan, takes no lock and writes nothing beside the checkpoint but the plan; it is never approved.

    Raises FerryError; UnsafePlanError where the plan was not approved, and then nothing was written.
    """
    job = new_job("undo", access, options, progress, stop, seams)
    path = Path(checkpoint).absolute()
    own = undo_checkpoint(path)
    job.report.checkpoint = str(own)
    with ExitStack() as opened:
        _check(job, path)
        opening = look_at if dry_run else open_checkpoint
        done, kept = opening(job, opened, path), opening(job, opened, own)
        if (done.header or {}).get("state") == UNDONE and done.history() is None:
            job.report.notes.append("the run was taken back already; there is nothing left to undo")
            return job.report
        async with telling(job), connected(job.access, job.options, job.seams, job.progress, job.stop) as (store, gate):
            await _undo(job, done, kept, store, gate, approve, dry_run=dry_run)
    return job.report


async def _undo(
    job: Job, done: Checkpoint, kept: Checkpoint, store: Store, gate: Gate, approve: Approve, *, dry_run: bool
) -> None:
    folder = _folder(job, done, kept)
    ferry = Ferry(kept, store, gate, _without_backup(job.options), job.seams, job.progress, job.stop, folder, job.cut)
    history, told = _history(job, done)
    header = _header(job, done, kept, folder, history.digest)
    copies = Copies(
        job.seams.disk, folder, job.access.store, told.ledger.courses, named=folder != done.paths.checkpoint.parent
    )
    made = ferry.resumes("undo", header, None)
    ferry.tell(job.report)
    await count_before(job, store)
    path = kept.paths.beside(".plan")
    if made is None or not _can_still_give(made, kept, copies):
        if dry_run:
            path = place_for_dry_run(kept.paths.beside(".proposed"))
        else:
            await ferry.settle_former()
            await _wait_for_doubts(job, done, told)
        made = await _plan(job, (history, told), kept, store, gate, header, copies, path, names_lost=done.names_lost())
    job.report.notes += [loss for batch in made.batches() for loss in batch.losses]
    proposal = propose(job, made, str(path), gate, None)
    proposal.about = f"only {_named(told.header)} is taken back; what earlier runs did stays"
    if not await approve(proposal) or dry_run:
        raise UnsafePlanError("the undo was not approved, so nothing was written. Give --yes to approve it unasked")
    standing = _left_standing(made)
    await _close(job, done, history)
    await carry_plan(job, ferry, made, store, relist=True)
    if job.report.outcome in {"done", "failed"} and not job.stop.draining:
        await _unlearn(job, done, kept, copies, standing)


def _folder(job: Job, done: Checkpoint, kept: Checkpoint) -> Path:
    """Where the pictures are: --backup, else what the undo that is gone on with was given."""
    if job.options.backup is not None:
        return job.options.backup.absolute()
    before = kept.history() if kept.unfinished is None else (kept.paths.plan, kept.unfinished)
    if before is not None and job.seams.disk.size(before[0]):
        plan = PlanFile(job.seams.disk, before[0], START_AGAIN)
        if plan.header.manifest == str(done.paths.checkpoint):
            return Path(plan.header.files)
    return done.paths.checkpoint.parent


def _can_still_give(made: PlanFile, kept: Checkpoint, copies: Copies) -> bool:
    """Whether the pictures that a plan brings back are still what was kept: the folder may have been harmed since it was made."""
    over = kept.unfinished.ledger.finished if kept.unfinished is not None else ()
    return all(
        copies.whole(batch.product.images[create.row].image_file, batch.product_id)
        for batch in made.batches(but=over)
        for create in batch.changes.creates
    )


async def _wait_for_doubts(job: Job, done: Checkpoint, told: Unfinished) -> None:
    """What the run sent last, and had no answer to, may still happen: until a settle after it no listing tells.

    Raises Interrupted.
    """
    disk, journal = job.seams.disk, done.paths.journal
    if disk.size(journal) is None:
        journal = done.paths.history[1]
    seconds = job.options.settle - disk.age(journal, job.seams.now())
    if not told.ledger.unknown() or seconds <= 0:
        return
    seconds = min(seconds, job.options.settle)
    job.progress.say(
        f"waiting {in_words(seconds)}: the run had no answer to some calls, which may still happen (--settle)"
    )
    with anyio.move_on_after(seconds) as scope:
        job.stop.on_drain(scope.cancel)
        await anyio.sleep_forever()
    if job.stop.draining:
        raise Interrupted


async def _close(job: Job, done: Checkpoint, history: PlanFile) -> None:
    """A run that never came to its end is over once undo writes: it must not be gone on with as if nothing had happened."""
    unfinished = done.unfinished
    if unfinished is None:
        return
    learned = lessons(job.seams.disk, done.paths.journal, history, unfinished.ledger)
    kept = {key: value for key, value in (done.header or {}).items() if key in {"wanted", "report"}}
    over = {"state": "interrupted", "finished_at": job.seams.now(), "changed": True}
    await done.compact({**unfinished.header, **kept, **over}, seen_by(done), learned)
    done.unfinished = None
    done.load()


def _check(job: Job, checkpoint: Path) -> None:
    """A mistyped name must not look like a run that changed nothing, or a backup that holds nothing.

    Raises CheckpointError, SettingsError.
    """
    disk, folder = job.seams.disk, job.options.backup
    if disk.size(checkpoint) is None and disk.size(checkpoint.with_name(checkpoint.name + ".journal")) is None:
        raise CheckpointError(f"{checkpoint}: there is no such checkpoint, so there is nothing to undo")
    if folder is not None and disk.size(folder.absolute() / INDEX) is None:
        raise SettingsError(f"--backup {folder}: there is no backup in it ({INDEX} is missing); nothing was written")


def _without_backup(options: Options) -> Options:
    """What the run created need not be kept when it goes."""
    return Options(**{name: getattr(options, name) for name in Options.__slots__ if name != "backup"})


def _history(job: Job, done: Checkpoint) -> History:
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
    made = PlanFile(job.seams.disk, plan)
    if made.digest != told.header.get("plan"):
        raise CheckpointError(f"{plan}: this is not the plan of the run in {done.paths.journal}; it can't be undone")
    return made, told


def _named(header: dict[str, Any]) -> str:
    return f"the `{header.get('command')}` that began at {shown_time(header.get('started_at', 0))}"


async def _unlearn(job: Job, done: Checkpoint, kept: Checkpoint, copies: Copies, standing: dict[int, set[int]]) -> None:
    """The run's checkpoint forgets what was taken back, so that the next run does not miss it, and learns the new ids."""
    history, told = _history(job, done)
    restored = dict(kept.memories())

    def learned() -> Iterator[tuple[int, Memory]]:
        for batch in history.batches():
            course = told.ledger.courses.get(batch.product_id)
            if course is not None:
                pictures, back = copies.known(batch.product_id), restored.get(batch.product_id, {})
                stands = standing.get(batch.product_id, set())
                yield batch.product_id, as_before(batch, course, pictures, back, stands)

    seen = seen_by(done)
    await done.compact({**(done.header or told.header), "state": UNDONE, "changed": True}, seen, learned())
    if job.report.outcome == "done":
        done.forget_history()


def _left_standing(made: PlanFile) -> dict[int, set[int]]:
    """The images that a plan leaves where they are, in the products that it can't take back whole."""
    return {
        batch.product_id: {image.image_id for image in batch.present} - set(batch.changes.deletes)
        for batch in made.batches()
        if batch.left_alone
    }
