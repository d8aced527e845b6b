"""Periodic bursts of calls by other apps, such as a scheduled job.

Time and size of the next one. Pure.

A burst is a run of time slots in which others made clearly more calls than usual. If bursts were followed by others
after the same time (once is enough, until one is missing), the next ones are expected after that time, too, and as many
calls are reserved until they have come or are overdue. What comes more than once a window is usual use, no burst. All
times are times of sending.
"""

from __future__ import annotations

from dataclasses import dataclass

# Slots per window.
SLOTS = 30
# Excess over usual use that makes a slot a burst: standard deviations, plus calls.
DEVIATIONS = 4.0
FEWEST = 4.0
# Maximum gap, in slots, within one burst. Estimates further apart cannot tell when the calls between them came.
APART = 3.0
# Number of bursts remembered.
REMEMBERED = 6
# Slots by which a burst may be early or late.
LATE = 2.5
# Factor for a burst cut short by the end of the quota; its full size is unknown.
CUT_SHORT = 2.0


@dataclass(slots=True)
class Burst:
    """`size` calls beyond usual use from `began` to `ended`.

    Reserve `room` for the next one.
    """

    began: float
    ended: float
    size: float
    room: float


class Bursts:
    """The latest bursts, and the number of calls to reserve for the next ones.

    Report each observation to `observe` and each window's end to `end_window`; `due` returns the reserve.
    """

    __slots__ = ("_bursts", "_due", "_first_at", "_observed_at", "_slot_began", "_spent", "_taken", "period", "window")

    def __init__(self) -> None:
        self.window = 30.0
        self.period: float | None = None
        self._bursts: list[Burst] = []
        self._due: list[Burst] = []
        self._slot_began = self._first_at = self._observed_at = 0.0
        self._taken = 0
        self._spent = False

    @property
    def _slot(self) -> float:
        return self.window / SLOTS

    def observe(self, more: int, now: float, usual: float, *, spent: bool) -> None:
        """Record `more` calls by others since the last response.

        `usual` is their usual rate in calls per second; `spent` is true if no quota is left.
        """
        slot = self._slot
        if now - self._slot_began >= slot:
            self._close(now, usual)
        if more and now - self._observed_at <= APART * slot:
            if not self._taken:
                self._first_at = (self._observed_at + now) / 2
            self._taken += more
            self._spent = self._spent or spent
        self._observed_at = now

    def end_window(self, now: float, usual: float, *, since: float) -> float:
        """End the window that began at `since`.

        Return its calls that belong to periodic bursts.
        """
        self._close(now, usual)
        self._observed_at = now
        self._expect(now)
        return 0.0 if self.period is None else sum(burst.size for burst in self._bursts if burst.began >= since)

    def due(self, now: float, end: float) -> float:
        """Return the number of calls to reserve for bursts that may come before `end`."""
        if not self._due:
            return 0.0
        late = LATE * self._slot
        return sum(burst.room for burst in self._due if now <= burst.ended + late and burst.began < end)

    def expects(self, now: float) -> bool:
        """Return True if a burst is expected now."""
        late = LATE * self._slot
        return any(burst.began - late <= now <= burst.ended + late for burst in self._due)

    def _close(self, now: float, usual: float) -> None:
        """End a slot, and record it as a burst if others made many more calls than usual."""
        expected = usual * max(self._slot, now - self._slot_began)
        if self._taken > expected + DEVIATIONS * expected**0.5 + FEWEST:
            size = self._taken - expected
            self._record(Burst(self._first_at, self._first_at, size, CUT_SHORT * size if self._spent else size))
            self._expect(now)
        self._slot_began, self._taken, self._spent = now, 0, False

    def _record(self, burst: Burst) -> None:
        last = self._bursts[-1] if self._bursts else None
        if last is not None and burst.began - last.ended <= APART * self._slot:
            last.ended = burst.began
            last.size += burst.size
            last.room += burst.room
        else:
            self._bursts = [*self._bursts[1 - REMEMBERED :], burst]

    def _expect(self, now: float) -> None:
        """Expect each burst again one period later, less what has come of it already."""
        self.period = period = self._find_period(now)
        if period is None:
            self._due = []
            return
        late = LATE * self._slot
        self._due = [
            Burst(
                burst.began + period,
                burst.ended + period,
                burst.size,
                max(0.0, burst.room - self._repeated(burst, period)),
            )
            for burst in self._bursts
            if burst.ended + period + late > now
        ]

    def _repeated(self, burst: Burst, period: float) -> float:
        """Return the calls of a burst's repetition so far."""
        late = LATE * self._slot
        return sum(other.size for other in self._bursts if abs(other.began - burst.began - period) <= late)

    def _find_period(self, now: float) -> float | None:
        """Return the shortest period, of at least a window, that explains the bursts; None without one.

        At least half of the bursts must have been followed by another, and no expected one may be missing.
        """
        times, late = [burst.began for burst in self._bursts], LATE * self._slot
        for period in sorted(later - earlier for n, later in enumerate(times) for earlier in times[:n]):
            if period < self.window - late:
                continue
            gaps = {began: later - began for began in times for later in times if abs(later - began - period) <= late}
            missed = any(began not in gaps and began + period + late < now for began in times)
            if not missed and 2 * len(gaps) >= len(times):
                return sum(gaps.values()) / len(gaps)
        return None
