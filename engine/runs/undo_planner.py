"""Plans the changes that take a run back, product by product, from its journal and backup."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from ..clock import loop_time
from ..core.diff.changes import Changes
from ..core.errors import RefusedError
from ..core.model import WantedProduct
from ..core.plan.batch import Header, ProductPlan
from ..core.plan.failures import image_failure, listing_reason
from ..core.plan.lines import batch_line
from ..core.reconcile.doubts import match_unconfirmed
from ..core.reconcile.early import hides
from ..core.undo.reversal import Reversal
from ..core.undo.revert import revert, settle_doubts
from ..disk.plan_file import PlanFile, PlanWriter
from .context import Interrupted, RunContext
from .product.io import seen_by
from .workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ..core.checkpoint.states import ProductLedger
    from ..core.identities import IdentityMap
    from ..core.results import Failure
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.checkpoint.run_files import OpenRun
    from ..disk.interface import Disk
    from ..images.backup_copies import BackupCopies
    from ..transport.client import ApiClient
    from ..transport.store import Store

    History = tuple[PlanFile, OpenRun]


_WITH_LOSSES, _WITHOUT_LOSSES = "with losses", "without losses"
"""The values of `selection` in an undo plan; a plan of an older version has neither, and is made again."""


async def plan_undo(
    job: RunContext,
    checkpoint: Checkpoint,
    history: History,
    kept: Checkpoint,
    store: Store,
    gate: ApiClient,
    header: Header,
    copies: BackupCopies,
    path: Path,
) -> PlanFile:
    """List what a run changed, and write the plan that reverts it."""
    wait = partial(_wait_until, job, loop_time() + unsure_for(job, checkpoint))
    renames_files = checkpoint.renames_files()
    done, told = history
    writer = PlanWriter(job.ports.disk, path, header, in_place=path == kept.paths.plan)
    restored = dict(kept.identities())
    to_do = told.ledger.courses.keys() - _reverted_before(job.ports.disk, kept, done.digest)
    batches = enumerate(batch for batch in done.batches() if batch.product_id in to_do)
    job.progress.start_phase("listing", products=len(to_do))
    ready: dict[int, Reversal] = {}
    written = 0

    async def look() -> bool:
        nonlocal written
        number, batch = (0, None) if job.stop.stopping else next(batches, (0, None))
        if batch is None:
            return False
        course, memory = told.ledger.courses[batch.product_id], restored.get(batch.product_id, {})
        ready[number] = await _revert_product(
            store, batch, course, copies, memory, header, wait, renames_files=renames_files
        )
        while (taken := ready.pop(written, None)) is not None:
            _write(writer, taken)
            written += 1
        job.progress.products_done += 1
        return True

    await WorkerPool(lambda: gate.workers, look).run()
    if job.stop.stopping:
        writer.close()
        raise Interrupted
    await writer.finish()
    return PlanFile(job.ports.disk, path)


def undo_header(job: RunContext, done: Checkpoint, kept: Checkpoint, folder: Path, digest: str) -> Header:
    """Return the header of the plan that reverts a run."""
    return Header(
        mode="undo",
        store=job.access.store,
        manifest=str(done.paths.checkpoint),
        digest=digest,
        files=str(folder),
        checkpoint=str(kept.paths.checkpoint),
        selection=_WITH_LOSSES if job.options.allow_loss else _WITHOUT_LOSSES,
        made_at=job.ports.now(),
        reading=done.reading(),
        delete_many=seen_by(done).delete_many,
    )


def _write(writer: PlanWriter, taken: Reversal) -> None:
    taken.batch.skipped, taken.batch.losses = taken.skipped, taken.losses
    writer.summary.add(taken.batch)
    writer.add(batch_line(taken.batch, 0, 0))


async def _revert_product(
    store: Store,
    batch: ProductPlan,
    course: ProductLedger,
    copies: BackupCopies,
    restored: IdentityMap,
    header: Header,
    wait: Callable[[], Awaitable[bool]],
    *,
    renames_files: bool,
) -> Reversal:
    try:
        present = await store.images(batch.product_id)
        if hides(course, present) and await wait():
            present = await store.images(batch.product_id)
    except RefusedError as error:
        nothing = WantedProduct(batch.product_id, [], batch.product.line)
        return Reversal(ProductPlan(nothing, [], Changes(), {}, by_name=False), [_unlisted(batch, error)])
    for row, image_id in match_unconfirmed(batch, course, present, renames_files=False).found.items():
        course.made[image_id] = row
    settle_doubts(course, present)
    pictures, allowed = copies.of_deleted(batch, course), header.selection == _WITH_LOSSES
    return revert(
        batch, course, present, pictures, header.reading, restored, renames_files=renames_files, allow_loss=allowed
    )


def unsure_for(job: RunContext, done: Checkpoint) -> float:
    """Return the seconds during which a listing may not show all of the run's writes yet."""
    disk, journal = job.ports.disk, done.paths.journal
    if disk.size(journal) is None:
        journal = done.paths.history[1]
    settle = job.options.settle
    return min(max(0.0, settle - disk.age(journal, job.ports.now())), settle)


async def _wait_until(job: RunContext, sure_at: float) -> bool:
    """Wait until listings show all that the run did; return False if there was no need, or the undo must stop."""
    seconds = sure_at - loop_time()
    if seconds <= 0 or job.stop.stopping:
        return False
    with anyio.move_on_after(seconds) as scope:
        job.stop.on_stop(scope.cancel)
        await anyio.sleep_forever()
    return not job.stop.stopping


def _unlisted(batch: ProductPlan, error: RefusedError) -> Failure:
    reason = f"{listing_reason(error)}; nothing of it was taken back"
    return image_failure(batch, None, reason, error.status)


def _reverted_before(disk: Disk, kept: Checkpoint, digest: str) -> set[int]:
    """Return the products that an earlier undo of the same run has reverted without failures."""
    found = kept.history()
    if found is None:
        return set()
    path, told = found
    if PlanFile(disk, path).header.digest != digest:
        return set()
    return told.ledger.finished - told.ledger.failures.keys()
