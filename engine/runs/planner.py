"""Lists and diffs, many products at once, into a plan file in product order. Writes nothing to the store.

Manifest and memory come in product order and are merged as they stream; workers finish out of order, and a small
window puts their lines in order again. So nothing here grows with the number of images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import anyio

from ..clock import loop_time
from ..core.diff.changes import Changes, Difference
from ..core.diff.compare import VERSION_NEEDS_SYNC, compare
from ..core.diff.unchanged import is_unchanged
from ..core.errors import MissingError, RefusedError
from ..core.identities import IdentityMap
from ..core.model import WantedProduct
from ..core.plan.batch import Header, ProductPlan, guesses, product_plan
from ..core.plan.failures import duplicate_image, listing_reason, product_failures, row_failure
from ..core.plan.guards import WRONG_STORE_AT, check_right_store
from ..core.plan.lines import batch_line, unchanged_line
from ..core.reconcile.duplicates import RetriedCreates, late_duplicates
from ..disk.checkpoint.identities import joined, learned_identities
from ..disk.plan_file import START_AGAIN, PlanFile, PlanWriter
from .context import Interrupted, RunContext
from .prior_run import PriorRun, confirm, prior_run
from .workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from ..core.diff.renumbering import RenumberingModel
    from ..core.model import StoredImage
    from ..core.results import Failure
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.manifest.reader import Manifest
    from ..progress import Progress, Stop
    from ..transport.client import ApiClient
    from ..transport.store import Store

_WINDOW = 4096
"""Products that may be finished ahead of the slowest one."""

Line = tuple[ProductPlan | None, WantedProduct, int, int, int, IdentityMap | None, dict[str, int]]


class Planner:
    """Lists and diffs every product, and writes the plan's lines."""

    def __init__(
        self,
        listing: Callable[[int], Awaitable[list[StoredImage]]],
        writer: PlanWriter,
        *,
        image: Callable[[int, int], Awaitable[StoredImage]],
        delete_extra: bool,
        reading: RenumberingModel,
        prior: PriorRun,
        progress: Progress,
        stop: Stop,
        only: frozenset[int] | None = None,
    ) -> None:
        self._only = only
        self._prior = prior
        self._trusted_at = loop_time() + prior.lag
        self._listing = listing
        self._image = image
        self._writer = writer
        self._delete_extra = delete_extra
        self._reading = reading
        self._progress = progress
        self._stop = stop
        self._source: Iterator[tuple[WantedProduct, IdentityMap]] = iter(())
        self._started = 0
        self._written = 0
        self._ready: dict[int, Line] = {}
        self._waiting: anyio.Event | None = None

    async def run(self, source: Iterator[tuple[WantedProduct, IdentityMap]], workers: Callable[[], int]) -> None:
        """List and diff until the source ends or the run is asked to stop.

        Raises UnsafePlanError as soon as the store looks like the wrong one, and StoreError where the run can't go on.
        """
        self._source = source
        try:
            await WorkerPool(workers, self._step).run()
        finally:
            self._writer.flush()

    async def _step(self) -> bool:
        while self._started - self._written > _WINDOW:
            self._waiting = self._waiting or anyio.Event()
            await self._waiting.wait()
        following = None if self._stop.stopping else next(self._source, None)
        if following is None:
            return False
        number = self._started
        self._started += 1
        line = await self._compare(*following)
        if number == self._written:
            self._write(*line)
            self._written += 1
            if self._ready or self._waiting is not None:
                self._write_ready()
        else:
            self._ready[number] = line
        self._progress.products_done += 1
        return True

    async def _compare(self, product: WantedProduct, memory: IdentityMap) -> Line:
        if self._only is not None and product.product_id not in self._only:
            return None, product, len(memory), len(memory), 0, None, {}
        resent = self._prior.retried_creates.get(product.product_id)
        try:
            present = await self._listing(product.product_id)
            learned = is_unchanged(product.images, present, memory) if resent is None else None
            if learned is not None and (
                learned is memory or not self._early()
            ):  # of what is remembered nothing is lost
                return None, product, len(present), len(memory), 0, None if learned is memory else learned, {}
            if early := self._early() if _lost(present, memory) else 0.0:
                # The former run has just ended, and the listing lacks what it made: it may lag behind.
                await anyio.sleep(early)
                present = await self._listing(product.product_id)
            present, found = await self._compared(product, present, memory)
        except RefusedError as error:
            return self._failed(product, memory, error)
        lost = _lost(present, memory)
        failures = self._failures_beside(product, present, found, resent)
        if not found.changes and not failures and not found.own:
            learned = found.identities if found.identities != memory else None
            return None, product, len(present), len(memory), lost, learned, guesses(product, found)
        return product_plan(product, present, found, failures), product, len(present), len(memory), lost, None, {}

    def _early(self) -> float:
        """Return the seconds during which a listing may still lag behind the prior run's writes."""
        return max(0.0, self._trusted_at - loop_time())

    async def _compared(
        self, product: WantedProduct, present: list[StoredImage], memory: IdentityMap
    ) -> tuple[list[StoredImage], Difference]:
        """Return the difference; while listings may lag, each image to be written is read by a GET first."""

        def difference(images: list[StoredImage]) -> Difference:
            return compare(product, images, memory, delete_extra=self._delete_extra, model=self._reading)

        if not self._early():
            return present, difference(present)
        number = product.product_id
        writes = self._prior.writes(number)
        return await confirm(present, memory, writes, difference, lambda each: self._image(number, each))

    def _failed(self, product: WantedProduct, memory: IdentityMap, error: RefusedError) -> Line:
        """Return the plan of a product that can't be listed: all of it fails, and its images stay known."""
        missing = isinstance(error, MissingError)
        batch = ProductPlan(product, [], Changes(), memory, [], missing)
        batch.failures = product_failures(batch, listing_reason(error), error.status)
        return batch, product, 0, len(memory), len(memory) if missing else 0, None, {}

    def _failures_beside(
        self, product: WantedProduct, present: list[StoredImage], found: Difference, resent: RetriedCreates | None
    ) -> list[Failure]:
        """Return the failures of what migrate can't do without deletes: replace an image, remove a late duplicate."""
        if self._delete_extra:
            return []
        batch = product_plan(product, present, found, [])
        failures = [row_failure(batch, row, VERSION_NEEDS_SYNC) for row in found.outdated]
        if resent:
            paired = set(found.matches.values())
            late = late_duplicates(product, present, paired, resent, renames_files=self._prior.renames_files)
            failures += [duplicate_image(batch, row, image) for row, alike in late.items() for image in alike]
        return failures

    def _write_ready(self) -> None:
        while (line := self._ready.pop(self._written, None)) is not None:
            self._write(*line)
            self._written += 1
        if self._waiting is not None:
            self._waiting.set()
            self._waiting = None

    def _write(
        self,
        batch: ProductPlan | None,
        product: WantedProduct,
        present: int,
        known: int,
        lost: int,
        learned: IdentityMap | None,
        guessed: dict[str, int],
    ) -> None:
        summary = self._writer.summary
        if batch is None:
            images = len(product.images)
            summary.add_unchanged(images, present, known, lost, len(guessed))
            self._writer.add(unchanged_line(product.product_id, images, present, learned, known, lost, guessed))
            return
        summary.add(batch, lost=lost, known=known)
        self._progress.failures += len(batch.failures)
        self._writer.add(batch_line(batch, known, lost))
        if summary.products == WRONG_STORE_AT:
            check_right_store(summary.products, summary.missing)


def _lost(present: list[StoredImage], memory: IdentityMap) -> int:
    """Return the number of known images that a listing does not show."""
    if not memory:
        return 0
    ids = {image.image_id for image in present}
    return sum(known[0] not in ids for known in memory.values())


async def make_plan(
    job: RunContext,
    wanted: Manifest,
    checkpoint: Checkpoint,
    store: Store,
    gate: ApiClient,
    path: Path,
    header: Header,
    only: frozenset[int] | None = None,
) -> PlanFile:
    """List and diff into a plan file; an interrupted resumable one is continued.

    Where `only` some products are listed, the others are taken to be as the run before left them.

    Raises Interrupted, UnsafePlanError (the wrong store), StoreError, DiskError.
    """
    now = job.ports.now() if header.resumable else None
    writer = PlanWriter(job.ports.disk, path, header, in_place=header.resumable, resume_at=now)
    job.progress.start_phase("listing", products=wanted.products)
    job.progress.products_done = writer.summary.products
    products = (product for product in wanted.read() if product.product_id > writer.last)
    former = None if checkpoint.open_run is None else PlanFile(job.ports.disk, checkpoint.paths.plan, START_AGAIN)
    source = joined(products, _identities(job, checkpoint, former))
    try:
        with anyio.CancelScope() as scope:
            job.stop.on_abort(scope.cancel)
            surveyor = _planner(job, checkpoint, former, store, writer, header, only)
            await surveyor.run(source, lambda: gate.useful_workers)
    except BaseException:
        writer.close()
        raise
    if job.stop.stopping:
        writer.close()
        raise Interrupted
    await writer.finish()
    if guessed := writer.summary.guessed:
        whose = "1 image was" if guessed == 1 else f"{guessed:,} images were"
        job.progress.notify(
            f"{whose} matched by a guess: others of the product have the same name, and their fields don't tell them apart "
            '("guessed" in the plan file names them)'
        )
    return PlanFile(job.ports.disk, path)


def _planner(
    job: RunContext,
    checkpoint: Checkpoint,
    unfinished: PlanFile | None,
    store: Store,
    writer: PlanWriter,
    header: Header,
    only: frozenset[int] | None,
) -> Planner:
    return Planner(
        store.images if job.options.backup is None else store.images_with_urls,
        writer,
        image=store.image,
        delete_extra=header.delete_extra,
        reading=header.reading,
        prior=prior_run(job, checkpoint, unfinished),
        progress=job.progress,
        stop=job.stop,
        only=only,
    )


def _identities(job: RunContext, checkpoint: Checkpoint, plan: PlanFile | None) -> Iterator[tuple[int, IdentityMap]]:
    """Return the known images by product, with those that an open run has learned."""
    unfinished = checkpoint.open_run
    if unfinished is None or plan is None:
        return checkpoint.identities()
    return checkpoint.identities(learned_identities(job.ports.disk, checkpoint.paths.journal, plan, unfinished.ledger))
