"""Bursts of calls that other apps make again and again, as a job does that a clock starts: when the next is due, and how large. Pure.

A burst is made up of the slots of time in which others made clearly more calls than they usually do. Where bursts were followed by
others after one and the same time (once is enough, until one stays away), the next are expected after that time, too: as many calls
are left for them until they have come, or are overdue. What comes more than once a window is no burst, but usual. All times are on
the clock of sending.
"""

from __future__ import annotations

from dataclasses import dataclass

# A window has so many slots.
SLOTS = 30
# A slot belongs to a burst if it has so many standard deviations, and calls, more than is usual.
DEVIATIONS = 4.0
FEWEST = 4.0
# Slots no further apart than this many are one burst. Looks that are further apart can't tell when the calls between them came.
APART = 3.0
# So many bursts are remembered.
REMEMBERED = 6
# So many slots a burst may come early or late.
LATE = 2.5
# Nobody knows how large a burst would have been that met the quota's end.
CUT_SHORT = 2.0


@dataclass(slots=True)
class Burst:
    """`size` calls beyond what is usual from `began` to `ended`; `room` is what to leave for it when it comes again."""

    began: float
    ended: float
    size: float
    room: float


class Bursts:
    """The bursts of late: show it every look with `see` and every window's end with `turn`; it tells what is `due`."""

    __slots__ = ("_bursts", "_due", "_first_at", "_looked_at", "_slot_began", "_spent", "_taken", "period", "window")

    def __init__(self) -> None:
        self.window = 30.0
        self.period: float | None = None
        self._bursts: list[Burst] = []
        self._due: list[Burst] = []
        self._slot_began = self._first_at = self._looked_at = 0.0
        self._taken = 0
        self._spent = False

    @property
    def _slot(self) -> float:
        return self.window / SLOTS

    def see(self, more: int, now: float, usual: float, *, spent: bool) -> None:
        """Take note that others made `more` calls since the last look, where `usual` a second are; `spent`: no quota is left."""
        slot = self._slot
        if now - self._slot_began >= slot:
            self._close(now, usual)
        if more and now - self._looked_at <= APART * slot:
            if not self._taken:
                self._first_at = (self._looked_at + now) / 2
            self._taken += more
            self._spent = self._spent or spent
        self._looked_at = now

    def turn(self, now: float, usual: float, *, since: float) -> float:
        """The window that began at `since` ends. Tells how many calls in it belong to bursts that come regularly."""
        self._close(now, usual)
        self._looked_at = now
        self._expect(now)
        return 0.0 if self.period is None else sum(burst.size for burst in self._bursts if burst.began >= since)

    def due(self, now: float, end: float) -> float:
        """How many calls to leave for the bursts that may still come before `end`."""
        if not self._due:
            return 0.0
        late = LATE * self._slot
        return sum(burst.room for burst in self._due if now <= burst.ended + late and burst.began < end)

    def expects(self, now: float) -> bool:
        """Whether what others do now is a burst that was to come."""
        late = LATE * self._slot
        return any(burst.began - late <= now <= burst.ended + late for burst in self._due)

    def _close(self, now: float, usual: float) -> None:
        """A slot is over; see whether it was part of a burst."""
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
        """Expect each burst of the last period again; of one that is on its way there is only room to leave for the rest."""
        self.period = period = self._find_period(now)
        if period is None:
            self._due = []
            return
        late = LATE * self._slot
        self._due = [
            Burst(
                burst.began + period, burst.ended + period, burst.size, max(0.0, burst.room - self._come(burst, period))
            )
            for burst in self._bursts
            if burst.ended + period + late > now
        ]

    def _come(self, burst: Burst, period: float) -> float:
        """How much of a burst has come again by now."""
        late = LATE * self._slot
        return sum(other.size for other in self._bursts if abs(other.began - burst.began - period) <= late)

    def _find_period(self, now: float) -> float | None:
        """The shortest time, of a window at least, after which bursts were followed by others, if as many were as are still to be."""
        times, late = [burst.began for burst in self._bursts], LATE * self._slot
        for period in sorted(later - earlier for n, later in enumerate(times) for earlier in times[:n]):
            if period < self.window - late:
                continue
            gaps = {began: later - began for began in times for later in times if abs(later - began - period) <= late}
            missed = any(began not in gaps and began + period + late < now for began in times)
            if not missed and 2 * len(gaps) >= len(times):
                return sum(gaps.values()) / len(gaps)
        return None
