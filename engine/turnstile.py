"""The line before the gate: lets calls through one by one, first come first served, when slot and quota allow. Waits, sends nothing."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core.errors import StoreError
    from .core.flow import Flow
    from .core.quota import Quota, Ticket

# A wait of over a minute is said, with its reason.
LONG_WAIT = 60.0
# Timers this close are due: the loop's clock is no finer.
NEAR = 1e-6


class Turnstile:
    """Hands out tickets. `enter` and `leave` make a pair; whoever is cancelled in `enter` holds nothing."""

    def __init__(self, quota: Quota, flow: Flow, say: Callable[[str], None]) -> None:
        self.in_flight = 0
        self._quota, self._flow, self._say = quota, flow, say
        self._line: deque[asyncio.Future[Ticket]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._said = -math.inf
        self._shut: StoreError | None = None
        self._held_until = -math.inf

    async def enter(self, *, again: bool = False) -> Ticket:
        """Wait for a turn; a call that goes `again` has waited longest and stands in front.

        Raises:
            StoreError: the turnstile was shut with it.

        """
        if self._shut is not None:
            raise renewed(self._shut)
        loop = asyncio.get_running_loop()
        if not self._line and self.in_flight < self._flow.limit:
            now = loop.time()
            if self._due(now) <= now:
                return self._admit(now)
        turn: asyncio.Future[Ticket] = loop.create_future()
        if again:
            self._line.appendleft(turn)
        else:
            self._line.append(turn)
        self.pump()
        try:
            ticket = await turn
        except asyncio.CancelledError:
            self._step_out(turn)
            raise
        if self._shut is not None:
            # Shut between being let through and getting here: nothing may be sent any more.
            self._step_out(turn)
            raise renewed(self._shut)
        return ticket

    def leave(self) -> None:
        """Free the slot of a call that came back."""
        self.in_flight -= 1
        if self._line:
            self.pump()

    def pump(self) -> None:
        """Let through all whose turn it is, and set the timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        line = self._line
        while line:
            if line[0].done():
                line.popleft()
                continue
            if self.in_flight >= self._flow.limit:
                return
            loop = line[0].get_loop()
            now = loop.time()
            due = self._due(now)
            if due > now + NEAR:
                self._wait_until(due, now, loop)
                return
            line.popleft().set_result(self._admit(now))

    def shut(self, error: StoreError) -> None:
        """Turn away everybody in line, and whoever comes later, with `error`."""
        self._shut = error
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_exception(renewed(error))

    def waits_until(self, now: float) -> float | None:
        """When the first in line will go, as far as time alone decides it; None where nobody waits, or not for time."""
        if not self._line or self.in_flight >= self._flow.limit:
            return None
        due = self._due(now)
        return due if due > now else None

    def hold(self, until: float) -> None:
        """Let nobody through before `until`: the store has asked for that."""
        self._held_until = max(self._held_until, until)

    def release(self) -> None:
        """The store has answered well since it asked for a wait: that was about one call."""
        if self._held_until > -math.inf:
            self._held_until = -math.inf
            self.pump()

    def reason(self, now: float) -> str:
        """Why the first in line has to wait now."""
        if now < self._held_until and self._quota.due(now) <= self._held_until:
            return "the store is unavailable for now (503) and named a time"
        return self._quota.reason(now)

    def _due(self, now: float) -> float:
        return max(self._quota.due(now), self._held_until)

    def _admit(self, now: float) -> Ticket:
        self.in_flight += 1
        if self.in_flight >= self._flow.limit:
            self._flow.pressed = True
        return self._quota.send(now)

    def _step_out(self, turn: asyncio.Future[Ticket]) -> None:
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._quota.take_back(turn.result())
            self.leave()
        elif self._line:
            self.pump()

    def _wait_until(self, due: float, now: float, loop: asyncio.AbstractEventLoop) -> None:
        if math.isinf(due):
            return
        self._timer = loop.call_at(due, self.pump)
        if due - now > LONG_WAIT and due > self._said + LONG_WAIT:
            self._said = due
            self._say(f"waiting {in_words(due - now)}: {self.reason(now)}")


def in_words(seconds: float) -> str:
    """A long wait as a person says it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def renewed(error: StoreError) -> StoreError:
    """Make a fresh copy: one exception raised in many tasks would pile up their tracebacks."""
    return type(error)(error.reason, error.status)
