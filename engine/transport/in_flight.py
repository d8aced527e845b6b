"""The calls in flight: who is out since when, and the scan that cuts those that stay out too long.

One scan a second instead of a timer a call (performance.md section 2). All calls have the same time-out, so the oldest comes first.
The clock is the running loop's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..core.errors import LostError, StoreError, UnsentError
from .unsent import NotSent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..core.messages import Request, Response


class _Call:
    __slots__ = ("before", "cut", "request", "since", "task")

    def __init__(self, request: Request, since: float, task: asyncio.Task[object]) -> None:
        self.request = request
        self.since = since
        self.task = task
        self.before = task.cancelling()
        self.cut: str | None = None

    @property
    def name(self) -> str:
        return f"{self.request.method} {self.request.path}"


class InFlight:
    """The calls in flight, oldest first."""

    def __init__(self, wire: Callable[[Request], Awaitable[Response]]) -> None:
        self._transport = wire
        self._out: dict[int, _Call] = {}
        self.last_response_at = 0.0  # when the last answer came, or the last stall was dealt with

    async def send(self, number: int, request: Request, now: float) -> Response:
        """Send, and wait for the answer until `cut` or the caller's own cancellation ends it.

        Raises:
            UnsentError, LostError: from the wire; LostError also where the call was cut.

        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call needs a task to run in")
        flight = self._out[number] = _Call(request, now, task)
        try:
            answer = await self._transport(request)
        except asyncio.CancelledError as error:
            # A cut looks like a cancellation from outside; it is ours only if nobody else cancelled the task, too.
            if flight.cut is None or task.uncancel() > flight.before:
                raise
            raise (UnsentError if isinstance(error, NotSent) else LostError)(flight.cut) from None
        except StoreError:
            _settle(flight)
            raise
        finally:
            del self._out[number]
        _settle(flight)
        self.last_response_at = task.get_loop().time()
        return answer

    def check_timeouts(self, now: float, timeout: float, stall_after: float) -> str | None:
        """Cut what has been out for `timeout`. Where nothing came back for `stall_after`, say so and cut what is out as long."""
        self.abort(now, timeout)
        if not self._out:
            self.last_response_at = now
        if now - self.last_response_at < stall_after:
            return None
        self.last_response_at = now
        oldest = next(iter(self._out.values()))
        more = f" and {len(self._out) - 1} more" if len(self._out) > 1 else ""
        self.abort(now, stall_after)
        return f"nothing has come back for {stall_after:g} s; in flight: {oldest.name} (for {now - oldest.since:.0f} s){more}"

    def slept(self, now: float, seconds: float) -> None:
        """Take out time in which this process did not run: answers may lie there unread, and nobody was late."""
        self.last_response_at = min(now, self.last_response_at + seconds)
        for flight in self._out.values():
            flight.since = min(now, flight.since + seconds)

    def abort(self, now: float, age: float) -> None:
        """End the calls that have been out for `age` seconds: their senders get a LostError."""
        for flight in self._out.values():
            out_for = now - flight.since
            if out_for < age:
                return
            if flight.cut is None:
                flight.cut = f"{flight.name}: no answer within {out_for:.0f} s"
                flight.task.cancel()


def _settle(flight: _Call) -> None:
    """Take back a cut that came too late to be noticed."""
    if flight.cut is not None:
        flight.task.uncancel()
