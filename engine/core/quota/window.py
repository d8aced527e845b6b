"""The end of the quota's window on the clock of sending, and how near to it calls may be sent. Pure arithmetic.

A call's moment of sending plus its `Reset-Ms` is the end less the way up; a call sent then pays the same way up again, so latency
cancels out and only its jitter must be guarded (performance.md section 3). The largest such sum is the end.
"""

from __future__ import annotations

import math

# The end is the earliest that was seen; this covers a call that is quicker than all of them.
GUARD = 0.004
# How much the newest answer weighs in jitter and its spread.
NEWEST = 0.1


class Window:
    """The end `at` of the window in force, `window` seconds long."""

    __slots__ = ("_jitter", "_shown", "_spread", "at", "window")

    def __init__(self) -> None:
        self.at = 0.0
        self.window = 30.0
        self._jitter = 0.0
        self._spread = 0.0
        self._shown = 0

    @property
    def start(self) -> float:
        """When the next window's first call may go: a hair after the end, more while few answers have shown how they scatter."""
        unsure = 2.0 / self._shown if self._shown else 0.0
        return self.at + min(GUARD + (0.1 + unsure) * self._jitter, self.window / 100)

    @property
    def stop(self) -> float:
        """When this window's last call shall go: the jitter before the end, so that no call crosses it."""
        return self.at - min(GUARD + self._jitter + 2.0 * self._spread, self.window / 4)

    def show(self, shown: float) -> None:
        """Move the end to the latest that answers have shown, and learn how far they scatter before it."""
        self.at = max(self.at, shown)
        self._shown += 1
        late = self.at - shown
        self._spread += NEWEST * (abs(late - self._jitter) - self._spread)
        self._jitter += NEWEST * (late - self._jitter)

    def roll(self, now: float) -> None:
        """Go on to the end of the window in which `now` lies, as far as the clock says."""
        self.at += self.window * (math.floor((now - self.at) / self.window) + 1)
