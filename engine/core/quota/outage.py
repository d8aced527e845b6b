"""How long the store has been silent, and when that is too long. Pure; `now` is an argument.

Silent is a store that calls are sent to while no usable answer comes: none at all, or 5xx and bare 429 only (contract.md,
`--give-up-after`). Time in which nothing is asked, such as the wait for a reset that the store has named, is no silence;
nor is time in which this process did not run. A store that names one wait after another is given an hour of them.
"""

from __future__ import annotations

from .headers import LONGEST_WAIT

# A silence of this many seconds is worth a word to the user.
REMARKABLE = 60.0
NOTHING = "no answer at all"


class OutageTimer:
    """Counts the silence. `give_up_after` in seconds."""

    def __init__(self, give_up_after: float) -> None:
        self.give_up_after = give_up_after
        self.seen = NOTHING  # what came last, short of an answer
        self.status = 0  # of that; 0 where nothing came
        self._since: float | None = None
        self._remarked = False
        self._excused = 0.0  # seconds that the store asked for in this silence
        self._excused_until = 0.0

    @property
    def waits(self) -> bool:
        """Whether a call is waited for already, so that another one sent is no news."""
        return self._since is not None

    def sent(self, now: float, call: str = "") -> None:
        """Begin to wait for a usable answer to a call."""
        if self._since is None:
            self._since = now
            self.seen = f"no answer at all to {call}" if call else NOTHING
            self.status = 0

    def on_response(self, now: float, *, waits_for_more: bool) -> None:
        """Take note of a usable answer; `waits_for_more`: other calls are still out."""
        self._since = now if waits_for_more else None
        self._remarked = False
        self._excused = self._excused_until = 0.0

    def slept(self, now: float, seconds: float) -> None:
        """Take out time in which this process did not run: whoever is waited for may have spoken meanwhile."""
        if self._since is not None:
            self._since = max(self._since, min(now, self._since + seconds))

    def excuse(self, now: float, wait: float) -> None:
        """The store asked for a wait: it is no silence, up to an hour in all until it speaks."""
        if self._since is None:
            return
        more = max(0.0, now + wait - max(now, self._excused_until))
        more = min(more, LONGEST_WAIT - self._excused)
        self._excused += more
        self._excused_until = max(now, self._excused_until) + more
        self._since += more

    def failed(self, reason: str, status: int = 0) -> None:
        """Take note of what came instead of a usable answer."""
        self.seen, self.status = reason, status

    def expired(self, now: float) -> str | None:
        """Say why to give up, or None to go on."""
        if self._since is None or now - self._since < self.give_up_after:
            return None
        return f"the store gave no usable answer for {now - self._since:.0f} s; seen last: {self.seen}"

    def warning(self, now: float) -> str | None:
        """Say once in each silence that it has become long."""
        if self._since is None or self._remarked or now - self._since < REMARKABLE:
            return None
        self._remarked = True
        return f"no usable answer for {now - self._since:.0f} s, giving up after {self.give_up_after:g} s; seen last: {self.seen}"
