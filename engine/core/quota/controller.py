"""The quota controller.

From response headers to the time of the next call. Pure; `now` is an argument.

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
CHECK_AFTER = 1 / 60
CHECK_TIMEOUT = 1 / 10
# An end further off than this many windows belongs to another window.
OTHER_WINDOW = 0.5


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
        self._no_quota = False  # a good response without headers: no quota
        self._probe: Permit | None = None  # the call sent alone, to learn the quota
        self._check: Permit | None = None  # the single call that checks the use by others
        self._held_until = 0.0
        self._window = Window()
        self._last = 0  # number of the last call sent
        self._first = 1  # number of this window's first call
        self._carried = 0  # earlier calls that this window counted
        self._newest = 0  # number of the newest call with a response
        self._learned_at = -math.inf
        self._paced_from = 0.0

    def next_send_at(self, now: float) -> float:
        """Return the earliest time of the next call.

        `inf` means after a response only.
        """
        if now < self._held_until:
            return self._held_until
        if self._no_quota:
            return now
        if self._must_probe(now):
            return now if self._probe is None else math.inf
        if now >= self._window.start:
            return now
        return self._next_in_window(now)

    def _next_in_window(self, now: float) -> float:
        start, stop = self._window.start, self._window.stop
        free = self._free
        if self.remaining is not None and 0 < self.remaining <= free and not self.others.seen:
            return now
        if now > stop + GUARD or free < 1.0:
            return start
        if self._must_check(self._rest):
            return self._next_check_at(max(now, self._learned_at + CHECK_AFTER * self.window))
        return self._paced_from + (stop - self._paced_from) / free

    def _must_check(self, rest: float) -> bool:
        """Return True if other apps will probably use the rest.

        Then single calls check it.
        """
        return rest - self.others.reserve(self.quota or 0, self._window.at) < 1.0

    def _next_check_at(self, when: float) -> float:
        if self._check is not None:
            when = max(when, self._check.sent + CHECK_TIMEOUT * self.window)
        return when if self._rest - self.others.unseen(when) >= 1.0 else self._window.start

    def _must_probe(self, now: float) -> bool:
        """Return True if a single call must go first.

        Nothing known, or not for two windows.
        """
        return self.quota is None or (now >= self._window.start and now - self._learned_at > 2.0 * self.window + 1.0)

    @property
    def _free(self) -> float:
        """Calls of this window that nobody has made and that this run may make."""
        return min(self._rest, self.share * (self.quota or 0) - self._own_calls)

    @property
    def _rest(self) -> int:
        """Calls of this window that nobody has made.

        Other apps' reserve is taken from these.
        """
        return (self.quota or 0) - self.others.taken - self._own_calls

    @property
    def _own_calls(self) -> int:
        return self._last - self._first + 1 + self._carried

    def record_send(self, now: float) -> Permit:
        """Count a call that is sent now."""
        self._last += 1
        permit = Permit(self._last, now)
        if self._no_quota:
            return permit
        if self._must_probe(now):
            self._probe = permit
        elif now >= self._window.start:
            self._roll_window(permit)
        else:
            self._pace(permit)
        return permit

    def _pace(self, permit: Permit) -> None:
        now, planned = permit.sent, permit.sent
        free = self._free + 1.0
        if self._must_check(self._rest + 1.0):
            self._check = permit
        elif free >= 1.0:
            planned = self._paced_from + (self._window.stop - self._paced_from) / free
        self._paced_from = max(min(planned, now), now - CATCH_UP)

    def record_loss(self, permit: Permit) -> None:
        """Record a call without a response.

        It stays counted; a lost probe is repeated.
        """
        if self._probe is permit:
            self._probe = None
        if self._check is permit:
            self._check = None

    def record_response(
        self,
        permit: Permit,
        now: float,
        headers: RateLimitHeaders | None,
        *,
        good: bool,
        throttled: bool = False,
        wait: float | None = None,
    ) -> None:
        """Learn from a response: `good` (neither 429 nor 5xx), `throttled` (429).

        `wait` is the number of seconds that a 429 asks for.
        """
        probed, alone = self._probe is permit, self._check is permit
        self.record_loss(permit)
        if throttled and wait is not None:
            self._held_until = max(self._held_until, now + wait)
        if headers is None:
            if good and not self._no_quota and self._must_probe(now):
                self._no_quota, self.quota = True, None
            return
        self._probe = None
        self._learn(permit, now, headers, probed=probed, alone=alone)
        if throttled:
            shown = permit.sent + headers.reset
            margin = self._window.start - self._window.at
            end = self._window.at if shown < self._window.at < shown + self.window / 4 else shown
            self._held_until = max(self._held_until, end + margin)

    def _learn(self, permit: Permit, now: float, headers: RateLimitHeaders, *, probed: bool, alone: bool) -> None:
        ahead = headers.reset if headers.left == 0 else min(headers.reset, 1.1 * headers.window)
        shown = permit.sent + ahead
        whole_seconds = 1.0 if headers.reset % 1.0 == 0.0 else 0.0
        too_late = now + ahead + whole_seconds < self._window.at and permit.number >= self._first
        if probed or self.quota is None or too_late or shown > self._window.at + OTHER_WINDOW * self.window:
            self._start_window(permit, now, headers, shown)
            return
        if permit.number < self._first:
            self._carried += shown > self._window.at - OTHER_WINDOW * self.window
            return
        self._window.show(shown)
        if permit.number <= self._newest:
            return
        self._newest, self._learned_at = permit.number, now
        taken = headers.quota - headers.left - (permit.number - self._first + 1 + self._carried)
        if headers.quota != self.quota or headers.window != self.window:
            self._adopt_headers(headers)
            self.others.start_midway(taken, permit.sent)
        else:
            self.others.observe(taken, permit.sent, alone=alone, spent=headers.left == 0)

    def _adopt_headers(self, headers: RateLimitHeaders) -> None:
        self.quota = headers.quota
        self._window.length = self.others.window = headers.window

    def _start_window(self, permit: Permit, now: float, headers: RateLimitHeaders, shown: float) -> None:
        """Start a window with this response.

        Calls sent after it count to the window.
        """
        self._no_quota = False
        self._adopt_headers(headers)
        self.others.start_midway(headers.quota - headers.left - 1, permit.sent)
        self._first, self._carried, self._newest = permit.number, 0, permit.number
        self._window.at = shown
        self._learned_at = self._paced_from = now

    def _roll_window(self, permit: Permit) -> None:
        """Start the next window with this call, by the clock."""
        self.others.roll_window(permit.sent)
        self._paced_from = max(self._window.start, permit.sent - CATCH_UP)
        self._window.roll(permit.sent)
        self._first, self._carried = permit.number, 0

    @property
    def window(self) -> float:
        """The window's length in seconds, as far as known."""
        return self._window.length

    @property
    def left(self) -> int | None:
        """Calls left in this window, as far as known.

        None without a quota.
        """
        return None if self.quota is None else max(0, self.quota - self._own_calls - self.others.taken)

    @property
    def pace(self) -> float | None:
        """Calls per second that the quota grants on average.

        None without a quota.
        """
        return None if self.quota is None else self.share * self.quota / self.window

    def resets_in(self, now: float) -> float | None:
        """Return the seconds until the window's end, None without a quota."""
        return None if self.quota is None else max(0.0, self._window.at - now)

    def reason(self, now: float) -> str:
        """Return the reason that a call has to wait now."""
        if now < self._held_until:
            return "the store answered 429 and named a wait"
        if self.quota is not None and self._free < 1.0:
            whose = "our share of the store's quota" if self.share < 1.0 else "the store's quota"
            return f"{whose} ({self.quota} calls per {self.window:g} s) is used up"
        if self.quota is not None and self.others.seen:
            return "other apps are using the store's quota"
        return "waiting for the first response, which has the quota"
