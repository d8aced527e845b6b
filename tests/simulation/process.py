"""Processes in one virtual loop: what they may be cut off from, and how they die. A crash is an abandoned loop, not a cancellation.

Store, crowd and processes share one loop and so one clock. Which handles and tasks belong to a process is told by a context variable;
once it is dead the loop runs none of them any more, and whatever its finalizers do meets seams that are dead, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import warnings
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from ..virtual import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

WALL = 1_700_000_000.0
"""Wall clock at the loop's time zero, in seconds since 1970."""
_CLOSINGS = 12


class Crashed(BaseException):  # nothing the program could handle
    """The process is gone; raised by its seams so that not one more line of it matters."""


PROCESS: ContextVar[Process | None] = ContextVar("PROCESS", default=None)


class Process:
    """One start of the program; `die` ends it at once, wherever it is."""

    def __init__(self, loop: SimLoop, number: int) -> None:
        self.loop = loop
        self.number = number
        self.dead = False
        self.turns = 0
        self.tasks: list[asyncio.Task[Any]] = []
        self.context: Context = copy_context()
        self.context.run(PROCESS.set, self)
        self.ended: asyncio.Future[None] = loop.create_future()
        self.at_turn: dict[int, Callable[[], None]] = {}
        self.died_at: float | None = None

    def start(self, program: Coroutine[Any, Any, None]) -> None:
        """Run the program as this process."""
        task = self.loop.create_task(program, context=self.context)
        task.add_done_callback(self._over)

    async def over(self) -> BaseException | None:
        """Wait until it has ended; what it died of, if of anything."""
        await asyncio.wait([self.ended])
        return self.ended.exception()

    def tell(self, act: Callable[[], None]) -> None:
        """A signal: what the program does about it is its own doing."""
        self.loop.call_soon(act, context=self.context)

    def _over(self, task: asyncio.Task[None]) -> None:
        if not self.dead and not self.ended.done():
            error = None if task.cancelled() else task.exception()
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)

    def alive(self) -> None:
        """Raises Crashed where the process is dead: a seam's first line."""
        if self.dead:
            raise Crashed

    def die(self) -> None:
        """The process is gone; what it left in the loop is cleared away before the next turn."""
        if not self.dead:
            self.dead = True
            self.died_at = self.loop.time()
            self.loop.graves.append(self)


class SimLoop(VirtualLoop):
    """A virtual loop that knows whose handles it runs, and counts the turns of the process that lives."""

    def __init__(self) -> None:
        super().__init__()
        self.living: Process | None = None
        self.graves: list[Process] = []
        self._stopped: Process | None = None
        self._held: list[asyncio.Handle] = []
        self._held_timers: list[asyncio.TimerHandle] = []
        self.set_exception_handler(lambda _loop, _context: None)

    def wall(self) -> float:
        """Seconds since 1970."""
        return WALL + self.time()

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]  # callback and args go together in typeshed
        """As always, but for the dead."""
        handle = super().call_soon(callback, *args, context=context)
        if self.graves and _is_dead(handle):
            handle.cancel()
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:  # type: ignore[override]  # the same
        """As always, but for the dead."""
        handle = super().call_at(when, callback, *args, context=context)
        if self.graves and _is_dead(handle):
            handle.cancel()
        return handle

    def create_task(self, coro: Any, **more: Any) -> asyncio.Task[Any]:
        """As always; a process keeps a list of its tasks."""
        task = super().create_task(coro, **more)
        context = more.get("context")
        owner = PROCESS.get() if context is None else context.get(PROCESS)
        if owner is not None:
            owner.tasks.append(task)
        return task

    def suspend(self, process: Process, seconds: float) -> None:
        """Run nothing of this process for so long; what becomes ready meanwhile waits for it, and its timers become due."""
        self._stopped = process
        timers = self._scheduled  # type: ignore[attr-defined]  # no public way to look at them
        self._held_timers = [handle for handle in timers if _owner(handle) is process]
        timers[:] = [handle for handle in timers if _owner(handle) is not process]
        heapq.heapify(timers)
        self.call_later(seconds, self._resume, process)

    def _hold(self, process: Process) -> None:
        ready = self._ready  # type: ignore[attr-defined]  # as above
        self._held += [handle for handle in ready if _owner(handle) is process]
        others = [handle for handle in ready if _owner(handle) is not process]
        ready.clear()
        ready.extend(others)

    def _resume(self, process: Process) -> None:
        if self._stopped is not process:
            return  # one that died while it stood still doesn't wake the next
        self._stopped = None
        if not process.dead:
            self._ready.extend(self._held)  # type: ignore[attr-defined]  # as above
            for handle in self._held_timers:
                heapq.heappush(self._scheduled, handle)  # type: ignore[attr-defined]  # as above
        self._held, self._held_timers = [], []

    def _run_once(self) -> None:
        if self._stopped is not None:
            self._hold(self._stopped)
        process = self.living
        if process is not None:
            if not process.dead:
                process.turns += 1
                act = process.at_turn.pop(process.turns, None)
                if act is not None:
                    act()
            if process.dead:
                self.living = None
                self._queue_cancelled()
                self._bury(process)
        super()._run_once()

    def _bury(self, process: Process) -> None:
        for handle in [*self._ready, *self._scheduled]:  # type: ignore[attr-defined]  # no public way to look at them
            if _is_dead(handle):
                handle.cancel()
        for task in process.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # its end is meant
            if not task.done():
                process.context.run(_close, task.get_coro())
        process.tasks.clear()
        if not process.ended.done():
            process.ended.set_exception(Crashed())


def _owner(handle: asyncio.Handle) -> Process | None:
    owner: Process | None = handle._context.get(PROCESS)  # type: ignore[attr-defined]  # no public way to know whose it is
    return owner


def _is_dead(handle: asyncio.Handle) -> bool:
    owner = _owner(handle)
    return owner is not None and owner.dead


def _close(coro: Any) -> None:
    """End a coroutine of the dead here and now, so that the collector finds nothing that could still speak."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # some never began
        for _ in range(_CLOSINGS):
            with contextlib.suppress(BaseException):
                coro.close()
                return
