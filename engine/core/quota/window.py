"""The end of the quota's window, and the margin around it. Pure arithmetic.

All times are times of sending. A call's time of sending plus its `Reset-Ms` is the end minus the way to the server. The
next call pays the same way again, so latency cancels out and only its jitter needs a margin (performance.md section 3).
The largest sum is the end.
"""

from __future__ import annotations

import math

# Seconds; covers a call that is faster than all before it.
GUARD = 0.004
# Weight of the newest response in the jitter and its spread.
NEWEST = 0.1


class Window:
    """The current window of `length` seconds, which ends `at`."""

    __slots__ = ("_jitter", "_shown", "_spread", "at", "length")

    def __init__(self) -> None:
        self.at = 0.0
        self.length = 30.0
        self._jitter = 0.0
        self._spread = 0.0
        self._shown = 0

    @property
    def start(self) -> float:
        """Time of the next window's first call.

        `GUARD` after the end, more while jitter is unknown.
        """
        unsure = 2.0 / self._shown if self._shown else 0.0
        return self.at + min(GUARD + (0.1 + unsure) * self._jitter, self.length / 100)

    @property
    def stop(self) -> float:
        """Time of this window's last call.

        The jitter before the end, so that none crosses it.
        """
        return self.at - min(GUARD + self._jitter + 2.0 * self._spread, self.length / 4)

    def show(self, shown: float) -> None:
        """Move the end to the latest one shown by a response, and learn the jitter."""
        self.at = max(self.at, shown)
        self._shown += 1
        late = self.at - shown
        self._spread += NEWEST * (abs(late - self._jitter) - self._spread)
        self._jitter += NEWEST * (late - self._jitter)

    def roll(self, now: float) -> None:
        """Move on to the end of the window that contains `now`."""
        self.at += self.length * (math.floor((now - self.at) / self.length) + 1)
