"""Use of the shared quota by other apps, and the reserve for them.

Pure; `now` is an argument. Each response gives one estimate of the calls that others made in this window: quota - left -
own calls sent so far (performance.md section 3). Calls overtake each other on the way, so one estimate can be wrong in
both directions. The median of three decides whether there are other apps.
"""

from __future__ import annotations

import math

from .bursts import Bursts

# Calls per window from which other apps count (performance.md section 3).
NOTICEABLE = 2.0
# Part of the quota reserved beside their expected use (ibid.).
MARGIN = 0.02
# Weight of the newest window in the expected use.
WEIGHT = 0.3
# Time constant of the recent rate, in windows.
RECENT = 0.25


class OtherApps:
    """The other apps of the store, estimated from the headers of our own responses."""

    __slots__ = (
        "_base",
        "_began",
        "_burst_seen",
        "_bursts",
        "_last",
        "_mean",
        "_recent",
        "_recent_at",
        "_seen_at",
        "_steady",
        "_whole",
        "latest",
        "window",
    )

    def __init__(self) -> None:
        self.window = 30.0
        self.latest = 0  # the newest estimate of this window
        self._last = (0, 0)  # the two before it
        self._steady = 0  # the median of the three
        self._burst_seen = 0  # calls of this window already reported to `_bursts`
        self._base = 0  # calls before we watched: no evidence of their rate
        self._began = 0.0
        self._seen_at = 0.0  # time of the newest estimate
        self._whole = False  # watched since the window began
        self._mean: float | None = None  # calls per window, averaged
        self._bursts = Bursts()
        self._recent = 0.0  # recent calls per second
        self._recent_at = 0.0

    def start_midway(self, taken: int, now: float) -> None:
        """Start to watch in the middle of a window in which others made `taken` calls."""
        self.latest = self._steady = self._base = self._burst_seen = max(0, taken)
        self._last = (self.latest, self.latest)
        self._began = self._seen_at = now
        self._whole = False

    def roll_window(self, now: float) -> None:
        """End the window's count and start the next one."""
        self._learn(now, self._bursts.end_window(now, self._known_usual, since=self._began))
        self.latest = self._steady = self._base = self._burst_seen = 0
        self._last = (0, 0)
        self._began = self._seen_at = now
        self._whole = True

    def observe(self, estimate: int, now: float, *, alone: bool = False, spent: bool = False) -> None:
        """Record the estimate of a call sent at `now`.

        `alone`: no other call overtook it. `spent`: no quota is left. Responses to calls that later ones overtook are not
        reported here.
        """
        self._seen_at = now
        before, steady = self._last, self._steady
        self._last, self.latest = (before[1], self.latest), max(0, estimate)
        self._steady = sorted((before[1], self._last[1], self.latest))[1]
        self._see_burst(self.taken if spent or alone else self._steady, now, spent=spent)
        more = max(0, self._steady - steady)
        if more and self._bursts.expects(now):
            more = 0  # reserved already
        if more or self._recent > 0.0:
            self._add_recent(more, now)

    def _see_burst(self, taken: int, now: float, *, spent: bool) -> None:
        self._bursts.window = self.window
        self._bursts.observe(max(0, taken - self._burst_seen), now, self._known_usual, spent=spent)
        self._burst_seen = max(self._burst_seen, taken)

    @property
    def taken(self) -> int:
        """Calls that others made in this window, as far as known."""
        return max(self._steady, self.latest)

    @property
    def seen(self) -> bool:
        """True if other apps use enough of the quota to matter."""
        if self._steady - self._base >= NOTICEABLE or self._bursts.period is not None:
            return True
        return self._mean is not None and self._mean >= NOTICEABLE

    def reserve(self, quota: int, end: float) -> float:
        """Return the calls to reserve for others until the reset at `end`.

        That is their expected use, 2% of the quota, and bursts.
        """
        steady = self.unseen(end) + MARGIN * quota if self.seen else 0.0
        return steady + self._bursts.due(self._seen_at, end)

    def unseen(self, until: float) -> float:
        """Return the calls that others probably make between the last estimate and `until`.

        The expected number plus two standard deviations.
        """
        seconds = until - self._seen_at
        if seconds <= 0.0:
            return 0.0
        span = RECENT * self.window
        usual = self._usual
        excess = max(0.0, self._recent * math.exp((self._recent_at - self._seen_at) / span) - usual)
        # The recent excess is expected to decay, usual use to continue.
        expected = usual * seconds + excess * span * (1.0 - math.exp(-seconds / span))
        return expected + 2.0 * math.sqrt(expected)

    @property
    def _usual(self) -> float:
        """Calls per second, averaged over windows."""
        return (self._mean or 0.0) / self.window

    @property
    def _known_usual(self) -> float:
        """As `_usual`, but inf before a whole window was watched."""
        return math.inf if self._mean is None else self._usual

    def _add_recent(self, more: int, now: float) -> None:
        span = RECENT * self.window
        self._recent = self._recent * math.exp(min(0.0, (self._recent_at - now) / span)) + more / span
        self._recent_at = now
        if self._recent < 1e-6:
            self._recent = 0.0

    def _learn(self, now: float, regular: float) -> None:
        count = max(0.0, self._steady - self._base - regular)
        if not self._whole:
            watched = now - self._began
            if self._mean is None and watched > self.window / 4:
                self._mean = count * self.window / watched
            return
        self._mean = count if self._mean is None else self._mean + WEIGHT * (count - self._mean)
