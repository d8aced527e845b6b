"""What other apps take from the quota that all share, and what must be left for them until the reset. Pure: `now` is an argument.

Each answer gives one estimate of the calls that others made in this window: quota - left - own calls sent up to that one
(performance.md section 3). Calls overtake each other on the way, so a single estimate may be off either way; the median of three
is believed where others are to be recognised at all.
"""

from __future__ import annotations

import math

from .bursts import Bursts

# performance.md section 3: others are there if they take two calls a window or more.
SEEN = 2.0
# ... and then 2% of the quota is left over beside what they are expected to take.
MARGIN = 0.02
# How much the newest window weighs in what a window is expected to bring.
WEIGHT = 0.3
# The share of a window over which a burst is recognised, and after which it is forgotten.
MEMORY = 0.25


class OtherApps:
    """The other apps of the store, seen through the headers of our own answers."""

    __slots__ = (
        "_base",
        "_began",
        "_burst_seen",
        "_bursts",
        "_fast",
        "_fast_at",
        "_last",
        "_mean",
        "_seen_at",
        "_steady",
        "_whole",
        "latest",
        "window",
    )

    def __init__(self) -> None:
        self.window = 30.0
        self.latest = 0  # the newest estimate of this window, for the room that is left
        self._last = (0, 0)  # the two before it
        self._steady = 0  # the median of the three
        self._burst_seen = 0  # what bursts have been shown of this window
        self._base = 0  # taken before we looked: says nothing about their rate
        self._began = 0.0
        self._seen_at = 0.0  # what others did after this isn't known
        self._whole = False  # watched since the window began
        self._mean: float | None = None  # calls a window, over windows
        self._bursts = Bursts()
        self._fast = 0.0  # calls a second, of late
        self._fast_at = 0.0

    def join(self, taken: int, now: float) -> None:
        """Begin to look in the middle of a window in which others, or nobody knows who, took `taken` calls already."""
        self.latest = self._steady = self._base = self._burst_seen = max(0, taken)
        self._last = (self.latest, self.latest)
        self._began = self._seen_at = now
        self._whole = False

    def turn(self, now: float) -> None:
        """Close the window's account and begin the next one's."""
        self._learn(now, self._bursts.turn(now, self._known_usual, since=self._began))
        self.latest = self._steady = self._base = self._burst_seen = 0
        self._last = (0, 0)
        self._began = self._seen_at = now
        self._whole = True

    def see(self, estimate: int, now: float, *, alone: bool = False, spent: bool = False) -> None:
        """Take the estimate of a call sent at `now`: `alone`, so that none overtook it, or such that the quota is `spent`.

        Answers that were overtaken by later calls aren't to be shown here.
        """
        self._seen_at = now
        before, steady = self._last, self._steady
        self._last, self.latest = (before[1], self.latest), max(0, estimate)
        self._steady = sorted((before[1], self._last[1], self.latest))[1]
        self._see_burst(self.taken if spent or alone else self._steady, now, spent=spent)
        more = max(0, self._steady - steady)
        if more and self._bursts.expects(now):
            more = 0  # room was left for it
        if more or self._fast > 0.0:
            self._quicken(more, now)

    def _see_burst(self, taken: int, now: float, *, spent: bool) -> None:
        self._bursts.window = self.window
        self._bursts.see(max(0, taken - self._burst_seen), now, self._known_usual, spent=spent)
        self._burst_seen = max(self._burst_seen, taken)

    @property
    def taken(self) -> int:
        """Calls that others made in this window, as far as is known."""
        return max(self._steady, self.latest)

    @property
    def seen(self) -> bool:
        """Whether there are others at all whose calls must be reckoned with."""
        if self._steady - self._base >= SEEN or self._bursts.period is not None:
            return True
        return self._mean is not None and self._mean >= SEEN

    def reserve(self, quota: int, end: float) -> float:
        """Tell how many calls to leave for others until the reset at `end`: what they will probably take, 2%, and bursts."""
        steady = self.unseen(end) + MARGIN * quota if self.seen else 0.0
        return steady + self._bursts.due(self._seen_at, end)

    def unseen(self, until: float) -> float:
        """Tell how many calls others make between the last look and `until`: what is likely and two deviations of it."""
        seconds = until - self._seen_at
        if seconds <= 0.0:
            return 0.0
        span = MEMORY * self.window
        usual = self._usual
        excess = max(0.0, self._fast * math.exp((self._fast_at - self._seen_at) / span) - usual)
        # A burst is expected to ebb away as it has come, what is usual to go on.
        expected = usual * seconds + excess * span * (1.0 - math.exp(-seconds / span))
        return expected + 2.0 * math.sqrt(expected)

    @property
    def _usual(self) -> float:
        """Calls a second, over windows."""
        return (self._mean or 0.0) / self.window

    @property
    def _known_usual(self) -> float:
        """As `_usual`; anything may be usual before a window was watched."""
        return math.inf if self._mean is None else self._usual

    def _quicken(self, more: int, now: float) -> None:
        span = MEMORY * self.window
        self._fast = self._fast * math.exp(min(0.0, (self._fast_at - now) / span)) + more / span
        self._fast_at = now
        if self._fast < 1e-6:
            self._fast = 0.0

    def _learn(self, now: float, regular: float) -> None:
        count = max(0.0, self._steady - self._base - regular)
        if not self._whole:
            watched = now - self._began
            if self._mean is None and watched > self.window / 4:
                self._mean = count * self.window / watched
            return
        self._mean = count if self._mean is None else self._mean + WEIGHT * (count - self._mean)
