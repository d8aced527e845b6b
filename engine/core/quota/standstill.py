"""Time in which this process itself did not run: Ctrl-Z, a debugger, a machine that slept. Pure; `now` is an argument.

Such time is no silence of the store: answers may lie in the sockets, unread. A clock that stands still meanwhile needs nothing.
"""

from __future__ import annotations

import math

GAP = 1.0
"""Seconds by which a look must come later than it was due, to count as a standstill and not as load."""


class Standstill:
    """Notice from looks at the clock, `interval` seconds apart at most, that the process did not run in between."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._looked_at, self._length, self._over = math.inf, 0.0, -math.inf

    def begin(self, now: float) -> None:
        """Look for the first time, if nobody has yet."""
        self._looked_at = min(self._looked_at, now)

    def look(self, now: float) -> float:
        """Return the length in seconds of a standstill that is over just now, 0 where there was none."""
        length = now - self._looked_at - self._interval
        self._looked_at = now
        if length <= GAP:
            return 0.0
        self._length, self._over = length, now
        return length

    def without(self, sent: float, now: float) -> float:
        """Return when a call that was sent at `sent` would have been, had the process not stood still since."""
        return min(now, sent + self._length) if sent < self._over else sent
