"""Takes a run back: reads its history, plans with a fresh listing, asks, and carries that plan with the same care.

Undo has a checkpoint of its own, CHECKPOINT.undo.json; the run's own checkpoint is held meanwhile, and unlearns what
was taken back.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from .backup_index import INDEX
from .checkpoint import UNDONE
from .clock import shown_time
from .copies import Copies
from .core.diff import Changes
from .core.errors import CheckpointError, RefusedError, SettingsError, UnsafePlanError
from .core.mend import image_failure, listing_reason
from .core.model import WantedProduct
from .core.plan import Batch, Header, batch_line
from .core.settle import sight
from .core.undo import TakenBack, as_before, settle_doubts, take_back
from .crew import Crew
from .ferry import Ferry
from .lessons import lessons
from .options import Options, Seams
from .planfile import START_AGAIN, PlanFile, PlanWriter
from .steps import carry_plan, count_before, look_at, new_job, open_checkpoint, place_for_dry_run, propose
from .store import Store, connected
from .telling import Interrupted, Job, telling
from .tools import seen_by
from .turnstile import in_words
from .undo_state import undo_checkpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .checkpoint import Checkpoint, Unfinished
    from .core.kept import Memory
    from .core.ledger import Course
    from .core.report import Failure, Report
    from .disk import Disk
    from .gate import Gate
    from .options import Access
    from .progress import Progress, Stop
    from .steps import Proposal

    History = tuple[PlanFile, Unfinished]
    Approve = Callable[[Proposal], Awaitable[bool]]

_WITH_LOSSES, _WITHOUT_LOSSES = "with losses", "without losses"
"""What a plan may do; one of an older version says neither, and is made anew."""


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


async def _plan(
    job: Job,
    history: History,
    kept: Checkpoint,
    store: Store,
    gate: Gate,
    header: Header,
    copies: Copies,
    path: Path,
    *,
    names_lost: bool,
) -> PlanFile:
    """Survey what the run changed, and write the plan that takes it back."""
    done, told = history
    writer = PlanWriter(job.seams.disk, path, header, in_place=path == kept.paths.plan)
    restored = dict(kept.memories())
    to_do = told.ledger.courses.keys() - _taken_back_before(job.seams.disk, kept, done.digest)
    batches = enumerate(batch for batch in done.batches() if batch.product_id in to_do)
    job.progress.begin("listing", products=len(to_do))
    ready: dict[int, TakenBack] = {}
    written = 0

    async def look() -> bool:
        nonlocal written
        number, batch = (0, None) if job.stop.draining else next(batches, (0, None))
        if batch is None:
            return False
        course, memory = told.ledger.courses[batch.product_id], restored.get(batch.product_id, {})
        ready[number] = await _take_back(store, batch, course, copies, memory, header, names_lost=names_lost)
        while (taken := ready.pop(written, None)) is not None:
            _write(writer, taken)
            written += 1
        job.progress.products_done += 1
        return True

    await Crew(lambda: gate.workers, look).run()
    if job.stop.draining:
        writer.close()
        raise Interrupted
    await writer.finish()
    return PlanFile(job.seams.disk, path)


def _header(job: Job, done: Checkpoint, kept: Checkpoint, folder: Path, digest: str) -> Header:
    return Header(
        mode="undo",
        store=job.access.store,
        manifest=str(done.paths.checkpoint),
        digest=digest,
        files=str(folder),
        checkpoint=str(kept.paths.checkpoint),
        selection=_WITH_LOSSES if job.options.allow_loss else _WITHOUT_LOSSES,
        made_at=job.seams.now(),
        reading=done.reading(),
        delete_many=seen_by(done).delete_many,
    )


def _named(header: dict[str, Any]) -> str:
    return f"the `{header.get('command')}` that began at {shown_time(header.get('started_at', 0))}"


def _write(writer: PlanWriter, taken: TakenBack) -> None:
    taken.batch.left_alone, taken.batch.losses = taken.left_alone, taken.losses
    writer.summary.add(taken.batch)
    writer.add(batch_line(taken.batch, 0, 0))


async def _take_back(
    store: Store,
    batch: Batch,
    course: Course,
    copies: Copies,
    restored: Memory,
    header: Header,
    *,
    names_lost: bool,
) -> TakenBack:
    try:
        present = await store.images(batch.product_id)
    except RefusedError as error:
        nothing = WantedProduct(batch.product_id, [], batch.product.line)
        return TakenBack(Batch(nothing, [], Changes(), {}, by_name=False), [_unlisted(batch, error)])
    for row, image_id in sight(batch, course, present, names_lost=False).found.items():
        course.made[image_id] = row
    settle_doubts(course, present)
    pictures, allowed = copies.of(batch, course), header.selection == _WITH_LOSSES
    return take_back(
        batch, course, present, pictures, header.reading, restored, names_lost=names_lost, allow_loss=allowed
    )


def _unlisted(batch: Batch, error: RefusedError) -> Failure:
    reason = f"{listing_reason(error)}; nothing of it was taken back"
    return image_failure(batch, None, reason, error.status)


def _taken_back_before(disk: Disk, kept: Checkpoint, digest: str) -> set[int]:
    """The products that an earlier undo of the same run took back and finished well."""
    found = kept.history()
    if found is None:
        return set()
    path, told = found
    if PlanFile(disk, path).header.digest != digest:
        return set()
    return told.ledger.finished - told.ledger.failures.keys()


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
