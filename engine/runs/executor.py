"""Applies a plan: many products at once, the changes of one product strictly in order.

A worker keeps a product until it is finished, or until an unconfirmed create has to wait for its settle time; the worker then
takes another product. The course of one product is in `runs/product/reconciler.py`.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

import anyio

from ..clock import loop_time
from ..core.errors import ForbiddenError, StoppedError, UnreachableError
from ..core.text import LONG_WAIT, in_words
from .product.final_check import final_check
from .product.io import Later, StopRequested
from .product.reconciler import ProductReconciler
from .workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.plan.batch import ProductPlan
    from ..progress import Progress, Stop
    from .product.io import ProductIO


class Executor:
    """Workers over the products of a plan, and the products that wait for their settle time."""

    def __init__(self, io: ProductIO, progress: Progress, stop: Stop, remaining: Callable[[int | None], None]) -> None:
        """Call `remaining` with the number of calls left: if they fit the quota, they need not be spread."""
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
        """The error by which the store ended the run, raised once the calls in flight have ended and are journalled."""
        self.unconfirmed: list[ProductReconciler] = []
        """Products with a create that was ever unconfirmed; the pipeline adds those of earlier processes."""

    async def run(self, batches: Iterator[ProductPlan], workers: Callable[[], int]) -> bool:
        """Apply every product; return False if the run stopped before the end."""
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
        except Later as later:
            heapq.heappush(self._waiting, (later.due, product.batch.product_id, product))
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
        """Return the next product: one whose time has come, else the plan's next; None when all are done."""
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
        """Stop taking products; queued calls are cancelled, calls in flight finish."""
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
        """Notify of a wait of over a minute, once, with its reason."""
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
        if product.ledger.was_unconfirmed:
            self.unconfirmed.append(product)
        self._progress.products_done += 1
        self._progress.failures = len(self._io.ledger.failures)
        self._remaining(self._progress.calls_left())

    async def _final_check(self, workers: Callable[[], int]) -> bool:
        """List every product that ever had an unconfirmed create once more, one settle time after the last loss."""
        if not self.unconfirmed or self._io.settle_only:
            return True
        due = max(product.lost_at for product in self.unconfirmed) + self._io.settle_time
        waiting = due - loop_time()
        if waiting > 0:
            self._progress.start_phase("settling", products=len(self.unconfirmed))
            self._notify_long_wait(waiting, len(self.unconfirmed))
            with anyio.move_on_after(waiting) as scope:
                self._stop.on_stop(scope.cancel)
                await anyio.sleep_forever()
        unchecked = iter(self.unconfirmed)
        checked: list[ProductReconciler] = []

        async def check_next() -> bool:
            product = next(unchecked, None)
            if product is None:
                return False
            try:
                await final_check(product)
            except (StopRequested, StoppedError):
                return False
            except (ForbiddenError, UnreachableError) as error:
                self._end(error)
                return False
            checked.append(product)
            self._progress.products_done += 1
            return True

        await WorkerPool(workers, check_next).run()
        return len(checked) == len(self.unconfirmed)
