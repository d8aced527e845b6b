"""Takes a run back: reads its history, plans with a fresh listing, asks, and carries that plan with the same care.

Undo has a checkpoint of its own, CHECKPOINT.undo.json; the run's own checkpoint is held meanwhile, and unlearns what
was taken back.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .backup_index import INDEX, best, read_index
from .checkpoint import UNDONE
from .clock import shown_time
from .core.diff import Changes
from .core.errors import CheckpointError, RefusedError, SettingsError, UnsafePlanError
from .core.mend import image_failure, listing_reason
from .core.model import WantedProduct
from .core.plan import Batch, Header, batch_line
from .core.settle import sight
from .core.undo import Kept, TakenBack, as_before, take_back
from .crew import Crew
from .ferry import Ferry
from .lessons import lessons
from .options import Options, Seams
from .planfile import PlanFile, PlanWriter
from .steps import carry_plan, count_before, new_job, open_checkpoint, propose
from .store import Store, connected
from .telling import Interrupted, Job, telling
from .tools import Seen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .checkpoint import Checkpoint, Unfinished
    from .core.kept import Memory
    from .core.report import Failure, Report
    from .disk import Disk
    from .gate import Gate
    from .options import Access
    from .progress import Progress, Stop
    from .steps import Proposal

    History = tuple[PlanFile, Unfinished]
    Approve = Callable[[Proposal], Awaitable[bool]]


async def undo(
    access: Access,
    checkpoint: str | Path,
    options: Options | None = None,
    *,
    approve: Approve,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Seams | None = None,
) -> Report:
    """Take back what the run of this checkpoint did; `approve` is shown the plan first and may say no.

    `Options.backup` is the folder that the run kept its pictures in; without it deleted images can't come back.

    Raises FerryError; UnsafePlanError where the plan was not approved, and then nothing was written.
    """
    job = new_job("undo", access, options, progress, stop, seams)
    path = Path(checkpoint).absolute()
    own = path.with_name(path.name + ".undo.json")
    job.report.checkpoint = str(own)
    with ExitStack() as opened:
        _check(job, path)
        done, kept = open_checkpoint(job, opened, path), open_checkpoint(job, opened, own)
        if (done.header or {}).get("state") == UNDONE and done.history() is None:
            job.report.notes.append("the run was taken back already; there is nothing left to undo")
            return job.report
        async with telling(job), connected(job.access, job.options, job.seams, job.progress, job.stop) as (store, gate):
            await _undo(job, done, kept, store, gate, approve)
    return job.report


async def _undo(job: Job, done: Checkpoint, kept: Checkpoint, store: Store, gate: Gate, approve: Approve) -> None:
    folder = job.options.backup or done.paths.checkpoint.parent
    ferry = Ferry(kept, store, gate, _without_backup(job.options), job.seams, job.progress, job.stop, folder, job.cut)
    history, told = _history(job, done)
    header = _header(job, done, kept, folder, history.digest)
    made = ferry.resumes("undo", header, None)
    ferry.tell(job.report)
    await count_before(job, store)
    if made is None:
        await ferry.settle_former()
        made = await _plan(job, (history, told), kept, store, gate, header, names_lost=done.names_lost())
    proposal = propose(job, made, str(kept.paths.plan), gate, None)
    proposal.about = f"only {_named(told.header)} is taken back; what earlier runs did stays"
    if not await approve(proposal):
        raise UnsafePlanError("the undo was not approved, so nothing was written. Give --yes to approve it unasked")
    await _close(job, done, history)
    await carry_plan(job, ferry, made, store, relist=True)
    if job.report.outcome in {"done", "failed"} and not job.stop.draining:
        await _unlearn(job, done, kept, folder)


async def _close(job: Job, done: Checkpoint, history: PlanFile) -> None:
    """A run that never came to its end is over once undo writes: it must not be gone on with as if nothing had happened."""
    unfinished = done.unfinished
    if unfinished is None:
        return
    learned = lessons(job.seams.disk, done.paths.journal, history, unfinished.ledger)
    kept = {key: value for key, value in (done.header or {}).items() if key in {"wanted", "report"}}
    over = {"state": "interrupted", "finished_at": job.seams.now(), "changed": True}
    await done.compact({**unfinished.header, **kept, **over}, Seen(done.reading(), done.names_lost()), learned)
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
    job: Job, history: History, kept: Checkpoint, store: Store, gate: Gate, header: Header, *, names_lost: bool
) -> PlanFile:
    """Survey what the run changed, and write the plan that takes it back."""
    done, told = history
    writer = PlanWriter(job.seams.disk, kept.paths.plan, header)
    backup = _pictures(job, Path(header.files), whole=True)
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
        pictures = backup.get(batch.product_id, {})
        memory = restored.get(batch.product_id, {})
        ready[number] = await _take_back(store, batch, told, pictures, memory, header, names_lost=names_lost)
        while (taken := ready.pop(written, None)) is not None:
            _write(job, writer, taken)
            written += 1
        job.progress.products_done += 1
        return True

    await Crew(lambda: gate.workers, look).run()
    if job.stop.draining:
        writer.close()
        raise Interrupted
    await writer.finish()
    return PlanFile(job.seams.disk, kept.paths.plan)


def _header(job: Job, done: Checkpoint, kept: Checkpoint, folder: Path, digest: str) -> Header:
    return Header(
        mode="undo",
        store=job.access.store,
        manifest=str(done.paths.checkpoint),
        digest=digest,
        files=str(folder),
        checkpoint=str(kept.paths.checkpoint),
        selection="",
        made_at=job.seams.now(),
        reading=done.reading(),
    )


def _named(header: dict[str, Any]) -> str:
    return f"the `{header.get('command')}` that began at {shown_time(header.get('started_at', 0))}"


def _write(job: Job, writer: PlanWriter, taken: TakenBack) -> None:
    taken.batch.left_alone = taken.left_alone
    writer.summary.add(taken.batch)
    writer.add(batch_line(taken.batch, 0, 0))
    job.report.notes += taken.losses


async def _take_back(
    store: Store,
    batch: Batch,
    told: Unfinished,
    pictures: dict[int, Kept],
    restored: Memory,
    header: Header,
    *,
    names_lost: bool,
) -> TakenBack:
    course = told.ledger.courses[batch.product_id]
    try:
        present = await store.images(batch.product_id)
    except RefusedError as error:
        nothing = WantedProduct(batch.product_id, [], batch.product.line)
        return TakenBack(Batch(nothing, [], Changes(), {}, by_name=False), [_unlisted(batch, error)])
    for row, image_id in sight(batch, course, present, names_lost=False).found.items():
        course.made[image_id] = row
    return take_back(batch, course, present, pictures, header.reading, restored, names_lost=names_lost)


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


def _pictures(job: Job, folder: Path, *, whole: bool) -> dict[int, dict[int, Kept]]:
    """The backup's pictures by product and image; with `whole` only those that still are what its index says."""
    pictures: dict[int, dict[int, Kept]] = {}
    for (product_id, image_id), entries in read_index(job.seams.disk, folder, job.access.store).pictures.items():
        entry = best(job.seams.disk, folder, entries) if whole else entries[-1]
        if entry is not None:
            pictures.setdefault(product_id, {})[image_id] = Kept(entry.file, entry.rendition == "original")
    return pictures


async def _unlearn(job: Job, done: Checkpoint, kept: Checkpoint, folder: Path) -> None:
    """The run's checkpoint forgets what was taken back, so that the next run does not miss it, and learns the new ids."""
    history, told = _history(job, done)
    backup, restored = _pictures(job, folder, whole=False), dict(kept.memories())

    def learned() -> Iterator[tuple[int, Memory]]:
        for batch in history.batches():
            course = told.ledger.courses.get(batch.product_id)
            if course is not None:
                pictures, back = backup.get(batch.product_id, {}), restored.get(batch.product_id, {})
                yield batch.product_id, as_before(batch.memory, course.deleted, pictures, back)

    seen = Seen(done.reading(), done.names_lost())
    await done.compact({**(done.header or told.header), "state": UNDONE, "changed": True}, seen, learned())
    if job.report.outcome == "done":
        done.forget_history()
