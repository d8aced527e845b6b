"""A loop whose clock jumps to its next timer: hours pass in milliseconds, always the same way. For simulation in virtual time."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

# Without it a timer that was rounded to *now* would be set again and again while no time passes.
CREEP = 1e-6
# Not zero, so that no room mistakes 0 for "never".
BEGIN = 1000.0


class DeadlockError(RuntimeError):
    """Every task waits, no timer is set and nothing is ready: it would wait for ever."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop in virtual time. Threads and sockets work, but their time doesn't count: don't wait for them in here."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = BEGIN
        # What asyncio rounds timers to; the creep is coarser.
        self._clock_resolution = 0.0

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual

    def jump(self, seconds: float) -> None:
        """Let time pass with nothing running meanwhile, as on a machine that slept."""
        self._virtual += seconds

    def _run_once(self) -> None:
        self._virtual += CREEP
        timers = self._scheduled
        while timers and timers[0]._cancelled:
            handle = heapq.heappop(timers)
            handle._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready and not self._stopping:
            if not timers:
                raise DeadlockError("every task waits and no timer is set")
            self._virtual = max(self._virtual, timers[0]._when)
        super()._run_once()


def run(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run `function(*args)` to its end in virtual time.

    Raises:
        DeadlockError: nothing can ever happen again.

    """
    return anyio.run(function, *args, backend="asyncio", backend_options={"loop_factory": VirtualLoop})
