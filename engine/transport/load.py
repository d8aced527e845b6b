"""How much the client carries: workers worth having, calls counted, how long calls take at the quota in force."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..core.quota.concurrency import MAX_LIMIT
from ..core.quota.stats import Traffic

if TYPE_CHECKING:
    from ..core.quota.concurrency import ConcurrencyLimit
    from ..core.quota.controller import QuotaController
    from ..core.quota.stats import Limits
    from .admission import AdmissionQueue
    from .backoff import BackoffQueue

MOST_WORKERS = MAX_LIMIT
"""Bounds the number that is found automatically; `--concurrency` may exceed it."""
SPARE = 4
"""Workers for each call in flight. Workers also wait for admission and for the disk: one group sync then covers more of them."""
LATELY = 10.0
"""Seconds over which `Traffic.rate` is taken."""
REMEMBERED = 1024
"""Responses over which `Traffic.rate` is taken at most."""


class Load:
    """Counts of this process, and what quota, concurrency and queues say of the next calls."""

    def __init__(
        self,
        limits: Limits,
        quota: QuotaController,
        concurrency: ConcurrencyLimit,
        admission: AdmissionQueue,
        backoff: BackoffQueue,
    ) -> None:
        self._limits, self._quota, self._concurrency = limits, quota, concurrency
        self._admission, self._backoff = admission, backoff
        self.requests = self.retried = self._throttled = 0
        self._answers: deque[float] = deque(maxlen=REMEMBERED)

    def answered(self, now: float, *, throttled: bool) -> None:
        """Count a response; `throttled` is a 429."""
        self._throttled += throttled
        self._answers.append(now)

    @property
    def workers(self) -> int:
        """Number of workers to run: `--concurrency`, or SPARE for each call allowed in flight, at most MOST_WORKERS."""
        return self._limits.concurrency or min(MOST_WORKERS, SPARE * self._concurrency.limit)

    @property
    def useful_workers(self) -> int:
        """As `workers`, for work that waits for its calls alone: one for each call in flight or in backoff.

        A call that has to queue costs another wake-up.
        """
        return min(self.workers, self._concurrency.limit + len(self._backoff))

    def seconds_for(self, calls: int) -> float:
        """Return the seconds that `calls` take at least: at the quota in force, else at the calls in flight over their latency."""
        unled = None
        if self._quota.pace is None and self._concurrency.latency:
            unled = self._concurrency.limit / self._concurrency.latency
        known = [rate for rate in (self._quota.pace, unled, self._limits.rate) if rate]
        return calls / min(known) if known else 0.0

    def traffic(self, now: float) -> Traffic:
        """Return a snapshot; cheap enough to be taken several times a second."""
        quota = self._quota
        recent = sum(at > now - LATELY for at in self._answers)
        shortest = 1.0 if recent < REMEMBERED else 0.001
        span = min(LATELY, max(shortest, now - self._answers[0])) if recent else LATELY
        return Traffic(
            requests=self.requests,
            throttled=self._throttled,
            retried=self.retried,
            in_flight=self._admission.in_flight,
            quota=quota.quota,
            left=quota.left,
            resets_in=quota.resets_in(now),
            rate=recent / span,
            waiting_for=self._waiting_for(now),
            latency=self._concurrency.latency,
        )

    def _waiting_for(self, now: float) -> str | None:
        if self._admission.in_flight:
            return None
        due = self._admission.waits_until(now)
        if due is not None:
            return f"{self._admission.reason(now)}; on in {due - now:.0f} s"
        if (first := self._backoff.next()) is not None:
            return f"trying again in {max(0.0, first[0] - now):.0f} s: {first[1]}"
        return None
