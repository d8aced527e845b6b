"""How many calls are worth having in flight. Pure; `now` is an argument.

Under a quota: what quota x latency asks for, twice over, at least EASY and at most MOST. Without one it grows by half as long as
the throughput follows (doubling at first), goes back where it doesn't, and tries again later. At the first sign of trouble (a 5xx, a bare 429, a call
that died) it halves, once for all calls that were in flight then; calls that take twice as long without more of them getting
through shrink it by a quarter. Sources: performance.md section 3 (workers needed); store-api.md section 4 (some endpoints took
three calls at once; no more in flight than the quota asks for).
"""

from __future__ import annotations

import math

# The bounds of what is found by itself; `--concurrency` fixes it outside them, too.
MIN_LIMIT = 2
MAX_LIMIT = 64
# Where it begins, and what a quota never takes it under: even a small one is soon spent at the end of a run, unpaced.
INITIAL_LIMIT = 8

GROWTH = 1.5
# A quota that asks for more than this many times the most in flight doesn't bind.
FAR = 4
# Until the first growth that brings nothing, or the first trouble, it doubles, and shorter measurements will do.
START = 2.0
GLANCE = 2
SHORTEST_GLANCE = 0.1
# Growing by half must bring at least this much, or it brought nothing.
GAIN = 1.1
# Answers per call in flight, and seconds, that make a measurement.
SAMPLE = 8
SHORTEST = 0.25
# Measurements after a growth that brought nothing before it is tried again.
REST = 12
# The weight of the newest call in the mean latency.
NEWEST = 0.05


class ConcurrencyLimit:
    """The bound of calls in flight. `fixed` is the user's own number, which nothing moves."""

    def __init__(self, fixed: int | None = None) -> None:
        self.limit = fixed or INITIAL_LIMIT
        self.latency: float | None = None
        self.saturated = False  # the bound was reached: it is what holds the calls back
        self._fixed = fixed is not None
        self._needed: int | None = None  # what the quota asks for; None without one
        self._shrunk_at = -math.inf
        self._before: int | None = None  # the bound that a growth is measured against
        self._rate = 0.0
        self._usual = 0.0  # latency at that rate
        self._rest = 0
        self._starting = True
        self._restart(0.0)

    def set_quota(self, quota: int | None, window: float) -> None:
        """Reckon with the quota in force; None is no quota."""
        if self._fixed or self.latency is None:
            return
        needed = None if quota is None else math.ceil(2.0 * self.latency * quota / window)
        # A quota that asks for a little more than the most is led by all the same; one in the millions is none.
        self._needed = (
            None if needed is None or needed > FAR * MAX_LIMIT else min(MAX_LIMIT, max(INITIAL_LIMIT, needed))
        )
        if self._needed is not None and (self.limit > self._needed or self._shrunk_at == -math.inf):
            self.limit = self._needed

    def on_response(self, sent: float, now: float) -> None:
        """Take note of a usable answer."""
        latency = now - sent
        self.latency = latency if self.latency is None else self.latency + NEWEST * (latency - self.latency)
        if self._fixed:
            return
        self._count += 1
        self._sum += latency
        if self._count >= self._enough and now - self._since >= (SHORTEST_GLANCE if self._starting else SHORTEST):
            self._measure(now)

    def on_error(self, sent: float, now: float) -> None:
        """Take note of a 5xx, a bare 429 or a death of a call sent at `sent`."""
        if self._fixed or sent < self._shrunk_at:
            return
        self.limit = max(MIN_LIMIT, self.limit // 2)
        self._shrunk_at, self._before, self._rest, self._rate = now, None, 1, 0.0
        self._starting = False
        self._restart(now)

    def _measure(self, now: float) -> None:
        rate, latency = self._count / (now - self._since), self._sum / self._count
        if self.saturated:
            self._judge(rate, latency)
        self._restart(now)

    def _judge(self, rate: float, latency: float) -> None:
        if self._needed is not None:
            self.limit = min(self._needed, math.ceil(self.limit * GROWTH))
            return
        if self._before is not None and rate < self._rate * GAIN:
            self.limit, self._before, self._rest = self._before, None, REST
            self._starting = False
            return
        if self._starting and self._before is not None and rate < self._rate * GROWTH:
            # Doubling brought something, but less than half of itself: what the store serves at once lies in between.
            self.limit, self._starting = math.ceil(self._before * GROWTH), False
        if self._before is None and self._rate > 0.0 and latency > 2.0 * self._usual and rate < self._rate:
            self.limit, self._rest = max(MIN_LIMIT, self.limit * 3 // 4), REST
        self._rate, self._usual, self._before = rate, latency, None
        self._rest -= 1
        if self._rest <= 0 and self.limit < MAX_LIMIT:
            growth = START if self._starting else GROWTH
            self._before, self.limit = self.limit, min(MAX_LIMIT, math.ceil(self.limit * growth))

    def _restart(self, now: float) -> None:
        self._since, self._count, self._sum = now, 0, 0.0
        self._enough = (GLANCE if self._starting else SAMPLE) * self.limit
        self.saturated = False
