"""The quota controller: from response headers to the time of the next call. Pure; `now` is an argument.

The quota is a fixed window, counted by the server on arrival and shared by all apps of the store (performance.md section
3, store-api.md section 4). Rules:

* **Time of sending.** A call's time of sending plus its `Reset-Ms` is the window's end minus the way to the server. The
  next call pays the same way again, so latency cancels out. The largest sum in a window is its end.
* **No call in flight across a reset.** Sending starts `GUARD` after the end and stops the jitter before it. A response
  that shows the next window nevertheless is counted to that one.
* **Pace.** The time until the stop divided by the free calls, computed for each call; at most CATCH_UP behind.
* **Other apps.** See other_apps.py and bursts.py. `share` is the largest part of the quota that the run may use.
* **Probe.** The first call goes alone, also after a pause without information. A good response without headers means no
  quota.
* A lost call stays counted. A 429 without headers says nothing about the quota.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .other_apps import OtherApps
from .window import GUARD, Window

if TYPE_CHECKING:
    from .headers import RateLimitHeaders

# Seconds of a late timer that are made up at once; more is spread over the rest of the window.
CATCH_UP = 0.02
# If others leave no room, a single call checks: time after the last response, and time to wait for it, in windows.
LOOK = 1 / 60
LOOKING = 1 / 10
# An end further off than this many windows belongs to another window.
ELSEWHERE = 0.5


class Permit:
    """One counted call: its number and its time of sending."""

    __slots__ = ("number", "sent")

    def __init__(self, number: int, sent: float) -> None:
        self.number = number
        self.sent = sent


class QuotaController:
    """Decides when the next call may be sent.

    Ask `next_send_at`, then call `record_send`; report `record_response` or `record_loss`. `share` (0 to 1) is the part of
    the quota that the user grants; `remaining` the number of calls that the run still needs, None if unknown.
    """

    def __init__(self, share: float = 1.0) -> None:
        self.share = share
        self.remaining: int | None = None
        self.quota: int | None = None
        self.others = OtherApps()
        self._open = False  # a good response without headers: no quota
        self._probe: Permit | None = None  # the call sent alone, to learn the quota
        self._look: Permit | None = None  # the single call that checks the use by others
        self._held_until = 0.0
        self._end = Window()
        self._last = 0  # number of the last call sent
        self._first = 1  # number of this window's first call
        self._carried = 0  # earlier calls that this window counted
        self._newest = 0  # number of the newest call with a response
        self._learnt_at = -math.inf
        self._paced_from = 0.0

    def next_send_at(self, now: float) -> float:
        """Return the earliest time of the next call; inf means after a response only."""
        if now < self._held_until:
            return self._held_until
        if self._open:
            return now
        if self._must_ask(now):
            return now if self._probe is None else math.inf
        if now >= self._end.start:
            return now
        return self._due_in_window(now)

    def _due_in_window(self, now: float) -> float:
        start, stop = self._end.start, self._end.stop
        free = self._free
        if self.remaining is not None and 0 < self.remaining <= free and not self.others.seen:
            return now
        if now > stop + GUARD or free < 1.0:
            return start
        if self._must_look(self._rest):
            return self._due_to_look(max(now, self._learnt_at + LOOK * self.window))
        return self._paced_from + (stop - self._paced_from) / free

    def _must_look(self, rest: float) -> bool:
        """Return True if other apps will probably use the rest; then single calls check it."""
        return rest - self.others.reserve(self.quota or 0, self._end.at) < 1.0

    def _due_to_look(self, when: float) -> float:
        if self._look is not None:
            when = max(when, self._look.sent + LOOKING * self.window)
        return when if self._rest - self.others.unseen(when) >= 1.0 else self._end.start

    def _must_ask(self, now: float) -> bool:
        """Return True if a single call must go first: nothing known, or not for two windows."""
        return self.quota is None or (now >= self._end.start and now - self._learnt_at > 2.0 * self.window + 1.0)

    @property
    def _free(self) -> float:
        """Calls of this window that nobody has made and that this run may make."""
        return min(self._rest, self.share * (self.quota or 0) - self._mine)

    @property
    def _rest(self) -> int:
        """Calls of this window that nobody has made. Other apps' reserve is taken from these."""
        return (self.quota or 0) - self.others.taken - self._mine

    @property
    def _mine(self) -> int:
        return self._last - self._first + 1 + self._carried

    def record_send(self, now: float) -> Permit:
        """Count a call that is sent now."""
        self._last += 1
        ticket = Permit(self._last, now)
        if self._open:
            return ticket
        if self._must_ask(now):
            self._probe = ticket
        elif now >= self._end.start:
            self._roll_window(ticket)
        else:
            self._pace(ticket)
        return ticket

    def _pace(self, ticket: Permit) -> None:
        now, planned = ticket.sent, ticket.sent
        free = self._free + 1.0
        if self._must_look(self._rest + 1.0):
            self._look = ticket
        elif free >= 1.0:
            planned = self._paced_from + (self._end.stop - self._paced_from) / free
        self._paced_from = max(min(planned, now), now - CATCH_UP)

    def record_loss(self, ticket: Permit) -> None:
        """Record a call without a response. It stays counted; a lost probe is repeated."""
        if self._probe is ticket:
            self._probe = None
        if self._look is ticket:
            self._look = None

    def record_response(
        self,
        ticket: Permit,
        now: float,
        reading: RateLimitHeaders | None,
        *,
        good: bool,
        throttled: bool = False,
        wait: float | None = None,
    ) -> None:
        """Learn from a response: `good` (neither 429 nor 5xx), `throttled` (429).

        `wait` is the number of seconds that a 429 asks for.
        """
        asked, alone = self._probe is ticket, self._look is ticket
        self.record_loss(ticket)
        if throttled and wait is not None:
            self._held_until = max(self._held_until, now + wait)
        if reading is None:
            if good and not self._open and self._must_ask(now):
                self._open, self.quota = True, None
            return
        self._probe = None
        self._learn(ticket, now, reading, asked=asked, alone=alone)
        if throttled:
            shown = ticket.sent + reading.reset
            hair = self._end.start - self._end.at
            end = self._end.at if shown < self._end.at < shown + self.window / 4 else shown
            self._held_until = max(self._held_until, end + hair)

    def _learn(self, ticket: Permit, now: float, reading: RateLimitHeaders, *, asked: bool, alone: bool) -> None:
        ahead = reading.reset if reading.left == 0 else min(reading.reset, 1.1 * reading.window)
        shown = ticket.sent + ahead
        whole_seconds = 1.0 if reading.reset % 1.0 == 0.0 else 0.0
        too_late = now + ahead + whole_seconds < self._end.at and ticket.number >= self._first
        if asked or self.quota is None or too_late or shown > self._end.at + ELSEWHERE * self.window:
            self._start_window(ticket, now, reading, shown)
            return
        if ticket.number < self._first:
            self._carried += shown > self._end.at - ELSEWHERE * self.window
            return
        self._end.show(shown)
        if ticket.number <= self._newest:
            return
        self._newest, self._learnt_at = ticket.number, now
        taken = reading.quota - reading.left - (ticket.number - self._first + 1 + self._carried)
        if reading.quota != self.quota or reading.window != self.window:
            self._take(reading)
            self.others.join(taken, ticket.sent)
        else:
            self.others.see(taken, ticket.sent, alone=alone, spent=reading.left == 0)

    def _take(self, reading: RateLimitHeaders) -> None:
        self.quota = reading.quota
        self._end.window = self.others.window = reading.window

    def _start_window(self, ticket: Permit, now: float, reading: RateLimitHeaders, shown: float) -> None:
        """Start a window with this response; calls sent after it count to the window."""
        self._open = False
        self._take(reading)
        self.others.join(reading.quota - reading.left - 1, ticket.sent)
        self._first, self._carried, self._newest = ticket.number, 0, ticket.number
        self._end.at = shown
        self._learnt_at = self._paced_from = now

    def _roll_window(self, ticket: Permit) -> None:
        """Start the next window with this call, by the clock."""
        self.others.turn(ticket.sent)
        self._paced_from = max(self._end.start, ticket.sent - CATCH_UP)
        self._end.roll(ticket.sent)
        self._first, self._carried = ticket.number, 0

    @property
    def window(self) -> float:
        """The window's length in seconds, as far as known."""
        return self._end.window

    @property
    def left(self) -> int | None:
        """Calls left in this window, as far as known; None without a quota."""
        return None if self.quota is None else max(0, self.quota - self._mine - self.others.taken)

    @property
    def pace(self) -> float | None:
        """Calls per second that the quota grants on average; None without a quota."""
        return None if self.quota is None else self.share * self.quota / self.window

    def resets_in(self, now: float) -> float | None:
        """Return the seconds until the window's end, None without a quota."""
        return None if self.quota is None else max(0.0, self._end.at - now)

    def reason(self, now: float) -> str:
        """Return the reason that a call has to wait now."""
        if now < self._held_until:
            return "the store turned a call away (429) and named a time"
        if self.quota is not None and self._free < 1.0:
            whose = "our share of the store's quota" if self.share < 1.0 else "the store's quota"
            return f"{whose} ({self.quota} calls per {self.window:g} s) is spent"
        if self.quota is not None and self.others.seen:
            return "other apps are using the store's quota"
        return "the first call goes alone, to ask for the quota"
