"""A loop whose clock jumps to its next timer: hours pass in milliseconds, always the same way. For simulation in virtual time."""

from __future__ import annotations

import asyncio
import heapq
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextvars import Context

T = TypeVar("T")

# Without it a timer that was rounded to *now* would be set again and again while no time passes.
CREEP = 1e-6
# Not zero, so that no room mistakes 0 for "never".
BEGIN = 1000.0


class DeadlockError(RuntimeError):
    """Every task waits, no timer is set and nothing is ready: it would wait for ever."""


class _Task(asyncio.Task[Any]):
    """A numbered task: the loop wakes tasks that are cancelled at one time in the order of their numbers."""

    def __init__(self, coro: Any, *, loop: VirtualLoop, **more: Any) -> None:
        self._virtual_loop = loop
        self._number = loop.number()
        super().__init__(coro, loop=loop, **more)

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel as always; the loop queues what this makes ready."""
        outer = self._virtual_loop.cancelling
        self._virtual_loop.cancelling = self._number
        try:
            return super().cancel(msg)
        finally:
            self._virtual_loop.cancelling = outer


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop in virtual time. Threads and sockets work, but their time doesn't count: don't wait for them in here.

    A cancel scope holds its tasks and inner scopes in sets, and cancels in the order of their memory addresses. What one callback
    makes ready by cancelling is therefore run in the order in which the tasks were created.
    """

    def __init__(self) -> None:
        super().__init__()
        self._virtual = BEGIN
        # What asyncio rounds timers to; the creep is coarser.
        self._clock_resolution = 0.0
        self.cancelling: int | None = None
        self._cancelled: list[tuple[int, asyncio.Handle]] = []
        self._tasks = 0
        self.set_task_factory(_new_task)

    def number(self) -> int:
        """The number of the next task."""
        self._tasks += 1
        return self._tasks

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]  # callback and args go together in typeshed
        """As always, but for what a cancellation makes ready."""
        if self.cancelling is None:
            self._queue_cancelled()
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._cancelled.append((self.cancelling, handle))
        return handle

    def _queue_cancelled(self) -> None:
        if self._cancelled:
            self._ready.extend(handle for _, handle in sorted(self._cancelled, key=itemgetter(0)))
            self._cancelled.clear()

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual

    def jump(self, seconds: float) -> None:
        """Let time pass with nothing running meanwhile, as on a machine that slept."""
        self._virtual += seconds

    def _run_once(self) -> None:
        self._queue_cancelled()
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


def _new_task(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **more: Any) -> _Task:
    if not isinstance(loop, VirtualLoop):
        raise TypeError("only a virtual loop has numbered tasks")
    return _Task(coro, loop=loop, **more)


def run(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run `function(*args)` to its end in virtual time.

    Raises:
        DeadlockError: nothing can ever happen again.

    """
    return anyio.run(function, *args, backend="asyncio", backend_options={"loop_factory": VirtualLoop})
