"""Admit calls one by one, first come first served, as quota, concurrency and `--rate` allow. Sends nothing."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, TypeVar

from aiolimiter import AsyncLimiter

from ..clock import loop_time
from ..core.errors import renewed
from ..core.text import LONG_WAIT, in_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..core.errors import StoreError
    from ..core.quota.concurrency import ConcurrencyLimit
    from ..core.quota.controller import Permit, QuotaController

T = TypeVar("T")

# Timers this close are due: the loop's clock is no finer.
NEAR = 1e-6


class AdmissionQueue:
    """Hand out permits. Each `acquire` needs a `release`; a caller cancelled in `acquire` holds no permit."""

    def __init__(self, quota: QuotaController, concurrency: ConcurrencyLimit, say: Callable[[str], None]) -> None:
        self.in_flight = 0
        self._quota, self._concurrency, self._say = quota, concurrency, say
        self._waiting = asyncio.Lock()
        self._news: asyncio.Future[None] | None = None  # what the first in line waits for
        self._said = -math.inf
        self._shut: StoreError | None = None
        self._held_until = -math.inf

    async def acquire(self) -> Permit:
        """Wait for a permit. Nothing is awaited after it was made, so that no cancellation can lose it.

        Raises the StoreError that the queue was closed with.
        """
        async with self._waiting:
            while True:
                if self._shut is not None:
                    raise renewed(self._shut)
                now = loop_time()
                due = math.inf if self.in_flight >= self._concurrency.limit else self._due(now)
                if due <= now + NEAR:
                    return self._admit(now)
                await self._wait_until(due, now)

    def release(self) -> None:
        """Free the slot of a call that came back."""
        self.in_flight -= 1
        self.dispatch()

    def dispatch(self) -> None:
        """Let the first in line see whether its turn has come: something that it waits for has changed."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def close(self, error: StoreError) -> None:
        """Turn away everybody in line, and whoever comes later, with `error`."""
        self._shut = error
        self.dispatch()

    def waits_until(self, now: float) -> float | None:
        """When the first in line will go, as far as time alone decides it; None where nobody waits, or not for time."""
        if not self._waiting.locked() or self.in_flight >= self._concurrency.limit:
            return None
        due = self._due(now)
        return due if due > now else None

    def hold(self, until: float) -> None:
        """Let nobody through before `until`: the store has asked for that."""
        self._held_until = max(self._held_until, until)

    def unhold(self) -> None:
        """The store has answered well since it asked for a wait: that was about one call."""
        if self._held_until > -math.inf:
            self._held_until = -math.inf
            self.dispatch()

    def reason(self, now: float) -> str:
        """Why the first in line has to wait now."""
        if now < self._held_until and self._quota.next_send_at(now) <= self._held_until:
            return "the store is unavailable for now (503) and named a time"
        return self._quota.reason(now)

    def _due(self, now: float) -> float:
        return max(self._quota.next_send_at(now), self._held_until)

    def _admit(self, now: float) -> Permit:
        self.in_flight += 1
        if self.in_flight >= self._concurrency.limit:
            self._concurrency.saturated = True
        return self._quota.record_send(now)

    async def _wait_until(self, due: float, now: float) -> None:
        """Wait until `due`, or until there is news before it."""
        loop = asyncio.get_running_loop()
        self._news = loop.create_future()
        timer = None if math.isinf(due) else loop.call_at(due, self.dispatch)
        if LONG_WAIT < due - now < math.inf and due > self._said + LONG_WAIT:
            self._said = due
            self._say(f"waiting {in_words(due - now)}: {self.reason(now)}")
        try:
            await self._news
        finally:
            self._news = None
            if timer is not None:
                timer.cancel()


class RateCeiling:
    """Let at most `rate` calls per second through; None lets all through."""

    def __init__(self, rate: float | None) -> None:
        # A bucket of a hundredth of a second: a large one lets twice its size through at first.
        size = max(1.0, (rate or 0.0) / 100)
        self._bucket = None if rate is None else AsyncLimiter(size, size / rate)
        self._single_file = asyncio.Lock()

    async def admit(self, acquire: Callable[[], Awaitable[T]]) -> T:
        """Wait for the ceiling, then for `acquire`; return what that returns."""
        if self._bucket is None:
            return await acquire()
        # Single file: permits bought ahead would all be spent at once when a window opens.
        async with self._single_file:
            await self._bucket.acquire()
            return await acquire()
