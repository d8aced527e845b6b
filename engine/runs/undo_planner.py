"""Plans the changes that take a run back, product by product, from its journal and backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.diff.changes import Changes
from ..core.errors import RefusedError
from ..core.model import WantedProduct
from ..core.plan.batch import Batch, Header
from ..core.plan.failures import image_failure, listing_reason
from ..core.plan.lines import batch_line
from ..core.reconcile.doubts import sight
from ..core.undo.reversal import TakenBack
from ..core.undo.revert import settle_doubts, take_back
from ..disk.plan_file import PlanFile, PlanWriter
from .context import Interrupted, Job
from .product.io import seen_by
from .workers import Crew

if TYPE_CHECKING:
    from pathlib import Path

    from ..core.checkpoint.states import Course
    from ..core.identities import Memory
    from ..core.results import Failure
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.checkpoint.run_files import Unfinished
    from ..disk.interface import Disk
    from ..images.backup_copies import Copies
    from ..transport.client import Gate
    from ..transport.store import Store

    History = tuple[PlanFile, Unfinished]


_WITH_LOSSES, _WITHOUT_LOSSES = "with losses", "without losses"
"""What a plan may do; one of an older version says neither, and is made anew."""


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
