"""The calls in flight: who is out since when, and the watch that cuts those that stay out too long.

One scan a second instead of a timer a call (performance.md section 2). All calls have the same time-out, so the oldest comes first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .core.errors import LostError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .core.exchange import Answer, Request


class _Flight:
    __slots__ = ("before", "cut", "request", "since", "task")

    def __init__(self, request: Request, since: float, task: asyncio.Task[object]) -> None:
        self.request = request
        self.since = since
        self.task = task
        self.before = task.cancelling()
        self.cut: str | None = None


class Flights:
    """The calls in flight, oldest first."""

    def __init__(self, wire: Callable[[Request], Awaitable[Answer]]) -> None:
        self._wire = wire
        self._out: dict[int, _Flight] = {}

    async def fly(self, number: int, request: Request, now: float) -> Answer:
        """Send, and wait for the answer until `cut` or the caller's own cancellation ends it.

        Raises:
            UnsentError, LostError: from the wire; LostError also where the call was cut.

        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call needs a task to run in")
        flight = self._out[number] = _Flight(request, now, task)
        try:
            answer = await self._wire(request)
        except asyncio.CancelledError:
            # A cut looks like a cancellation from outside; it is ours only if nobody else cancelled the task, too.
            if flight.cut is None or task.uncancel() > flight.before:
                raise
            raise LostError(flight.cut) from None
        except StoreError:
            _settle(flight)
            raise
        finally:
            del self._out[number]
        _settle(flight)
        return answer

    def overdue(self, now: float, most: float) -> Iterator[tuple[int, str, float]]:
        """Name the calls that have been out for `most` seconds: number, what it is, since how long."""
        for number, flight in self._out.items():
            age = now - flight.since
            if age < most:
                return
            if flight.cut is None:
                yield number, f"{flight.request.method} {flight.request.path}", age

    def cut(self, number: int, reason: str) -> None:
        """End one call: its sender gets a LostError that says `reason`."""
        flight = self._out[number]
        flight.cut = reason
        flight.task.cancel()

    def __len__(self) -> int:
        return len(self._out)


def _settle(flight: _Flight) -> None:
    """Take back a cut that came too late to be noticed."""
    if flight.cut is not None:
        flight.task.uncancel()
