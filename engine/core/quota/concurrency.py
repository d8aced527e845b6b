"""Limit of calls in flight. Pure; `now` is an argument.

With a quota: twice quota x latency, from INITIAL_LIMIT to MAX_LIMIT. Without one: grows by half (at first by doubling)
while throughput follows, else goes back and tries again later. On the first error (5xx, 429 without headers, lost call)
it halves, once for all calls then in flight. If latency doubles without more throughput, it shrinks by a quarter.
Sources: performance.md section 3; store-api.md section 4 (some endpoints handle three calls at once; keep no more in
flight than the quota needs).
"""

from __future__ import annotations

import math

# Bounds of the automatic limit; `--concurrency` may lie outside.
MIN_LIMIT = 2
MAX_LIMIT = 64
# Initial limit, and the minimum under a quota: at the end of a run even a small rest is sent without pacing.
INITIAL_LIMIT = 8

GROWTH = 1.5
# A quota that needs more than this many times MAX_LIMIT does not bind.
NOT_BINDING = 4
# Until the first growth without gain, or the first error: growth factor, responses per call in flight, seconds.
START_GROWTH = 2.0
START_SAMPLE = 2
START_SECONDS = 0.1
# Throughput factor below which a growth brought no gain.
GAIN = 1.1
# A measurement: responses per call in flight, and seconds.
SAMPLE = 8
SAMPLE_SECONDS = 0.25
# Measurements to wait after a growth without gain.
PAUSE = 12
# Weight of the newest call in the mean latency.
NEWEST_WEIGHT = 0.05


class ConcurrencyLimit:
    """The limit of calls in flight.

    `fixed` is the user's number and never changes.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self.limit = fixed or INITIAL_LIMIT
        self.latency: float | None = None
        self.saturated = False  # the limit was reached, so it is what delays calls
        self._fixed = fixed is not None
        self._quota_needs: int | None = None  # calls in flight that the quota needs; None without a quota
        self._shrunk_at = -math.inf
        self._before: int | None = None  # the limit before a growth
        self._rate = 0.0
        self._usual = 0.0  # latency at that rate
        self._pause = 0
        self._starting = True
        self._restart(0.0)

    def set_quota(self, quota: int | None, window: float) -> None:
        """Set the quota (calls per `window` seconds); None means no quota."""
        if self._fixed or self.latency is None:
            return
        needed = None if quota is None else math.ceil(2.0 * self.latency * quota / window)
        # A quota slightly above MAX_LIMIT still counts; one in the millions does not bind.
        self._quota_needs = (
            None if needed is None or needed > NOT_BINDING * MAX_LIMIT else min(MAX_LIMIT, max(INITIAL_LIMIT, needed))
        )
        if self._quota_needs is not None and (self.limit > self._quota_needs or self._shrunk_at == -math.inf):
            self.limit = self._quota_needs

    def on_response(self, sent: float, now: float) -> None:
        """Record a usable response to a call sent at `sent`."""
        latency = now - sent
        self.latency = latency if self.latency is None else self.latency + NEWEST_WEIGHT * (latency - self.latency)
        if self._fixed:
            return
        self._count += 1
        self._sum += latency
        if self._count >= self._enough and now - self._since >= (START_SECONDS if self._starting else SAMPLE_SECONDS):
            self._measure(now)

    def on_error(self, sent: float, now: float) -> None:
        """Record a 5xx, a 429 without headers, or a lost call that was sent at `sent`."""
        if self._fixed or sent < self._shrunk_at:
            return
        self.limit = max(MIN_LIMIT, self.limit // 2)
        self._shrunk_at, self._before, self._pause, self._rate = now, None, 1, 0.0
        self._starting = False
        self._restart(now)

    def _measure(self, now: float) -> None:
        rate, latency = self._count / (now - self._since), self._sum / self._count
        if self.saturated:
            self._adjust(rate, latency)
        self._restart(now)

    def _adjust(self, rate: float, latency: float) -> None:
        if self._quota_needs is not None:
            self.limit = min(self._quota_needs, math.ceil(self.limit * GROWTH))
            return
        if self._before is not None and rate < self._rate * GAIN:
            self.limit, self._before, self._pause = self._before, None, PAUSE
            self._starting = False
            return
        if self._starting and self._before is not None and rate < self._rate * GROWTH:
            # Doubling gained less than half: the store's capacity lies in between.
            self.limit, self._starting = math.ceil(self._before * GROWTH), False
        if self._before is None and self._rate > 0.0 and latency > 2.0 * self._usual and rate < self._rate:
            self.limit, self._pause = max(MIN_LIMIT, self.limit * 3 // 4), PAUSE
        self._rate, self._usual, self._before = rate, latency, None
        self._pause -= 1
        if self._pause <= 0 and self.limit < MAX_LIMIT:
            growth = START_GROWTH if self._starting else GROWTH
            self._before, self.limit = self.limit, min(MAX_LIMIT, math.ceil(self.limit * growth))

    def _restart(self, now: float) -> None:
        self._since, self._count, self._sum = now, 0, 0.0
        self._enough = (START_SAMPLE if self._starting else SAMPLE) * self.limit
        self.saturated = False
