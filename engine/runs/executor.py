"""Carries a plan into the store: many products at once, one product's changes strictly in order.

A worker keeps a product until it is finished, or until a create in doubt has to wait (`settle`); then others go on and
the product comes back. What one product needs, step by step, is in `runs/product/reconciler.py`.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

import anyio

from ..clock import loop_time
from ..core.errors import ForbiddenError, StoppedError, UnreachableError
from ..core.text import LONG_WAIT, in_words
from .product.io import Later, StopRequested
from .product.reconciler import ProductReconciler
from .workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.plan.batch import ProductPlan
    from ..progress import Progress, Stop
    from .product.io import ProductIO


class Executor:
    """Workers over a plan's batches, and the products that were set aside."""

    def __init__(self, io: ProductIO, progress: Progress, stop: Stop, remaining: Callable[[int | None], None]) -> None:
        """`remaining` is told how many calls are left: where they all fit the quota they need not be spread."""
        self._remaining = remaining
        self._io = io
        self._progress = progress
        self._stop = stop
        self._waiting: list[tuple[float, int, ProductReconciler]] = []
        self._out = 0
        self._dropped = False
        self._notified_at = -math.inf
        self._changed: anyio.Event | None = None
        stop.on_stop(self._wake)
        self.ended_by: ForbiddenError | UnreachableError | None = None
        """What ended the run from outside. It is kept until the calls in flight are home, and their answers written down."""
        self.unconfirmed: list[ProductReconciler] = []
        """Products of which a create was ever in doubt; those of an earlier process are put in by the ferry."""

    async def run(self, batches: Iterator[ProductPlan], workers: Callable[[], int]) -> bool:
        """Carry every batch to its end, True, or as far as it goes until the run is asked to stop, False."""
        self._batches: Iterator[ProductPlan] | None = batches
        await WorkerPool(workers, self._step).run()
        if self._batches is None and not self._waiting and not self._dropped:
            return await self._final_check(workers)
        return False

    async def _step(self) -> bool:
        product = await self._next()
        if product is None:
            return False
        try:
            await product.run()
        except Later as aside:
            heapq.heappush(self._waiting, (aside.due, product.batch.product_id, product))
        except (StopRequested, StoppedError):
            self._dropped = True
        except (ForbiddenError, UnreachableError) as error:
            self._end(error)
        else:
            self._done(product)
        finally:
            self._out -= 1
            self._wake()
        return True

    async def _next(self) -> ProductReconciler | None:
        """The next product: one that is due to be looked at again, else the plan's next; None when all is done."""
        while not self._stop.stopping:
            now = loop_time()
            if self._waiting and self._waiting[0][0] <= now:
                return self._start(heapq.heappop(self._waiting)[2])
            if self._batches is not None:
                batch = next(self._batches, None)
                if batch is not None:
                    return self._start(ProductReconciler(batch, self._io))
                self._batches = None
                self._wake()
            if not self._waiting and not self._out:
                return None
            await self._wait(self._waiting[0][0] - now if self._waiting else None)
        return None

    def _end(self, error: ForbiddenError | UnreachableError) -> None:
        """No more work is taken in; who still waits is turned away, and what is in flight comes to its end."""
        self._dropped = True
        self.ended_by = self.ended_by or error
        self._stop.stop(str(error))

    def _start(self, product: ProductReconciler) -> ProductReconciler:
        self._out += 1
        return product

    async def _wait(self, seconds: float | None) -> None:
        if seconds is not None and not self._out:
            self._notify_long_wait(seconds, len(self._waiting))
        changed = self._changed = self._changed or anyio.Event()
        with anyio.move_on_after(seconds):
            await changed.wait()

    def _notify_long_wait(self, seconds: float, products: int) -> None:
        """A wait of over a minute is said, once, with its reason."""
        due = loop_time() + seconds
        if seconds > LONG_WAIT and due > self._notified_at + LONG_WAIT:
            self._notified_at = due
            whose = "1 product" if products == 1 else f"{products} products"
            self._progress.notify(
                f"waiting {in_words(seconds)}: creates in {whose} got no answer, and may still appear (--settle)"
            )

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _done(self, product: ProductReconciler) -> None:
        if product.course.was_unconfirmed:
            self.unconfirmed.append(product)
        self._progress.products_done += 1
        self._progress.failures = len(self._io.ledger.failures)
        self._remaining(self._progress.calls_left())

    async def _final_check(self, workers: Callable[[], int]) -> bool:
        """Every product that ever was in doubt is listed once more, at least one settle after the last loss."""
        if not self.unconfirmed or self._io.settle_only:
            return True
        due = max(errand.lost_at for errand in self.unconfirmed) + self._io.settle_time
        waiting = due - loop_time()
        if waiting > 0:
            self._progress.start_phase("settling", products=len(self.unconfirmed))
            self._notify_long_wait(waiting, len(self.unconfirmed))
            with anyio.move_on_after(waiting) as scope:
                self._stop.on_stop(scope.cancel)
                await anyio.sleep_forever()
        unchecked = iter(self.unconfirmed)
        checked: list[ProductReconciler] = []

        async def look() -> bool:
            errand = next(unchecked, None)
            if errand is None:
                return False
            try:
                await errand.final_check()
            except (StopRequested, StoppedError):
                return False
            except (ForbiddenError, UnreachableError) as error:
                self._end(error)
                return False
            checked.append(errand)
            self._progress.products_done += 1
            return True

        await WorkerPool(workers, look).run()
        return len(checked) == len(self.unconfirmed)
