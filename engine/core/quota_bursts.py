"""Bursts of calls that other apps make again and again, as a job does that a clock starts: when the next is due, and how large. Pure.

A burst is made up of the slots of time in which others made clearly more calls than they usually do. Where bursts were followed by
bursts after one and the same time, so will the next ones be: that many calls are left for them until they have come, or are
overdue. All times are on the clock of sending.
"""

from __future__ import annotations

from dataclasses import dataclass

# A slot belongs to a burst if it has so many standard deviations, and calls, more than is usual.
DEVIATIONS = 4.0
FEWEST = 4.0
# Slots that are no further apart than this many are one burst.
APART = 3.0
# So many bursts are remembered; once three were followed by another, one that wasn't is forgiven.
REMEMBERED = 6
FORGIVEN_AFTER = 3
# So many slots a burst may come early or late.
LATE = 2.0
# Nobody knows how large a burst would have been that met the quota's end.
CUT_SHORT = 2.0


@dataclass(slots=True)
class Burst:
    """So many calls from `began` to `ended`."""

    began: float
    ended: float
    size: float


class Bursts:
    """The bursts of late: show it every look with `see` and every window's end with `turn`; it tells what is `due`."""

    __slots__ = ("_bursts", "_due", "_first_at", "_slot_began", "_spent", "_taken", "period", "slot")

    def __init__(self) -> None:
        self.slot = 1.0  # a slot's length in seconds
        self.period: float | None = None
        self._bursts: list[Burst] = []
        self._due: list[Burst] = []
        self._slot_began = self._first_at = 0.0
        self._taken = 0
        self._spent = False

    def see(self, more: int, now: float, usual: float, *, spent: bool) -> None:
        """Take note that others made `more` calls since the last look, where `usual` a second are; `spent`: no quota is left."""
        if now - self._slot_began >= self.slot:
            self._close(now, usual)
        if more and not self._taken:
            self._first_at = now
        self._taken += more
        self._spent = self._spent or spent

    def turn(self, now: float, usual: float, *, since: float) -> float:
        """The window that began at `since` ends. Tells how many calls in it belong to bursts that come regularly."""
        self._close(now, usual)
        self._expect(now)
        return 0.0 if self.period is None else sum(burst.size for burst in self._bursts if burst.began >= since)

    def due(self, now: float, end: float) -> float:
        """How many calls to leave for the bursts that may still come before `end`."""
        if not self._due:
            return 0.0
        late = LATE * self.slot
        return sum(burst.size for burst in self._due if now <= burst.ended + late and burst.began < end)

    def expects(self, now: float) -> bool:
        """Whether what others do now is a burst that was to come."""
        late = LATE * self.slot
        return any(burst.began - late <= now <= burst.ended + late for burst in self._due)

    def _close(self, now: float, usual: float) -> None:
        """A slot is over; see whether it was part of a burst."""
        expected = usual * max(self.slot, now - self._slot_began)
        if self._taken > expected + DEVIATIONS * expected**0.5 + FEWEST:
            size = self._taken * (CUT_SHORT if self._spent else 1.0)
            self._record(Burst(self._first_at, self._first_at, size))
            self._expect(now)
        self._slot_began, self._taken, self._spent = now, 0, False

    def _record(self, burst: Burst) -> None:
        last = self._bursts[-1] if self._bursts else None
        if last is not None and burst.began - last.ended <= APART * self.slot:
            last.ended = burst.began
            last.size += burst.size
        else:
            self._bursts = [*self._bursts[1 - REMEMBERED :], burst]

    def _expect(self, now: float) -> None:
        """Expect each burst of the last period again, but for what of it has come already."""
        self.period = period = self._find_period(now)
        if period is None:
            self._due = []
            return
        late = LATE * self.slot
        self._due = [
            Burst(burst.began + period, burst.ended + period, max(0.0, burst.size - self._come(burst.began + period)))
            for burst in self._bursts
            if burst.ended + period + late > now
        ]

    def _come(self, when: float) -> float:
        return sum(burst.size for burst in self._bursts if abs(burst.began - when) <= LATE * self.slot)

    def _find_period(self, now: float) -> float | None:
        """The shortest time after which bursts were followed by others, if as many were as are still to be."""
        times, late = [burst.began for burst in self._bursts], LATE * self.slot
        for period in sorted(later - earlier for n, later in enumerate(times) for earlier in times[:n]):
            gaps = {began: later - began for began in times for later in times if abs(later - began - period) <= late}
            missed = sum(began not in gaps and began + period + late < now for began in times)
            if 2 * len(gaps) + missed >= len(times) and missed <= (len(gaps) >= FORGIVEN_AFTER):
                return sum(gaps.values()) / len(gaps)
        return None
