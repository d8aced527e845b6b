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
from .product.io import Drained, SetAside
from .product.reconciler import Errand
from .workers import Crew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.plan.batch import Batch
    from ..progress import Progress, Stop
    from .product.io import Tools


class Carry:
    """Workers over a plan's batches, and the products that were set aside."""

    def __init__(self, tools: Tools, progress: Progress, stop: Stop, remaining: Callable[[int | None], None]) -> None:
        """`remaining` is told how many calls are left: where they all fit the quota they need not be spread."""
        self._remaining = remaining
        self._tools = tools
        self._progress = progress
        self._stop = stop
        self._aside: list[tuple[float, int, Errand]] = []
        self._out = 0
        self._dropped = False
        self._said = -math.inf
        self._changed: anyio.Event | None = None
        stop.on_drain(self._wake)
        self.ended_by: ForbiddenError | UnreachableError | None = None
        """What ended the run from outside. It is kept until the calls in flight are home, and their answers written down."""
        self.doubted: list[Errand] = []
        """Products of which a create was ever in doubt; those of an earlier process are put in by the ferry."""

    async def run(self, batches: Iterator[Batch], workers: Callable[[], int]) -> bool:
        """Carry every batch to its end, True, or as far as it goes until the run is asked to stop, False."""
        self._batches: Iterator[Batch] | None = batches
        await Crew(workers, self._step).run()
        if self._batches is None and not self._aside and not self._dropped:
            return await self._last_look(workers)
        return False

    async def _step(self) -> bool:
        errand = await self._next()
        if errand is None:
            return False
        try:
            await errand.run()
        except SetAside as aside:
            heapq.heappush(self._aside, (aside.due, errand.batch.product_id, errand))
        except (Drained, StoppedError):
            self._dropped = True
        except (ForbiddenError, UnreachableError) as error:
            self._end(error)
        else:
            self._done(errand)
        finally:
            self._out -= 1
            self._wake()
        return True

    async def _next(self) -> Errand | None:
        """The next product: one that is due to be looked at again, else the plan's next; None when all is done."""
        while not self._stop.draining:
            now = loop_time()
            if self._aside and self._aside[0][0] <= now:
                return self._take(heapq.heappop(self._aside)[2])
            if self._batches is not None:
                batch = next(self._batches, None)
                if batch is not None:
                    return self._take(Errand(batch, self._tools))
                self._batches = None
                self._wake()
            if not self._aside and not self._out:
                return None
            await self._wait(self._aside[0][0] - now if self._aside else None)
        return None

    def _end(self, error: ForbiddenError | UnreachableError) -> None:
        """No more work is taken in; who still waits is turned away, and what is in flight comes to its end."""
        self._dropped = True
        self.ended_by = self.ended_by or error
        self._stop.drain(str(error))

    def _take(self, errand: Errand) -> Errand:
        self._out += 1
        return errand

    async def _wait(self, seconds: float | None) -> None:
        if seconds is not None and not self._out:
            self._say_long(seconds, len(self._aside))
        changed = self._changed = self._changed or anyio.Event()
        with anyio.move_on_after(seconds):
            await changed.wait()

    def _say_long(self, seconds: float, products: int) -> None:
        """A wait of over a minute is said, once, with its reason."""
        due = loop_time() + seconds
        if seconds > LONG_WAIT and due > self._said + LONG_WAIT:
            self._said = due
            whose = "1 product" if products == 1 else f"{products} products"
            self._progress.say(
                f"waiting {in_words(seconds)}: creates in {whose} got no answer, and may still appear (--settle)"
            )

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _done(self, errand: Errand) -> None:
        if errand.course.doubted:
            self.doubted.append(errand)
        self._progress.products_done += 1
        self._progress.failures = len(self._tools.ledger.failures)
        self._remaining(self._progress.calls_left())

    async def _last_look(self, workers: Callable[[], int]) -> bool:
        """Every product that ever was in doubt is listed once more, at least one settle after the last loss."""
        if not self.doubted or self._tools.settle_only:
            return True
        due = max(errand.lost_at for errand in self.doubted) + self._tools.settle
        waiting = due - loop_time()
        if waiting > 0:
            self._progress.begin("settling", products=len(self.doubted))
            self._say_long(waiting, len(self.doubted))
            with anyio.move_on_after(waiting) as scope:
                self._stop.on_drain(scope.cancel)
                await anyio.sleep_forever()
        looks = iter(self.doubted)
        looked: list[Errand] = []

        async def look() -> bool:
            errand = next(looks, None)
            if errand is None:
                return False
            try:
                await errand.last_look()
            except (Drained, StoppedError):
                return False
            except (ForbiddenError, UnreachableError) as error:
                self._end(error)
                return False
            looked.append(errand)
            self._progress.products_done += 1
            return True

        await Crew(workers, look).run()
        return len(looked) == len(self.doubted)
