"""Detection of an outage: the time without a usable response.

Pure; `now` is an argument.

An outage is the time in which calls are sent and no usable response comes: none at all, or only 5xx and 429 without
headers (contract.md, `--give-up-after`). Waiting for a reset that the store has named does not count, nor does time in
which this process did not run. A store that names one wait after another gets an hour in total.
"""

from __future__ import annotations

from .headers import LONGEST_WAIT

# Seconds after which the user is warned.
WARN_AFTER = 60.0
NO_RESPONSE = "no response"


class OutageTimer:
    """Time without a usable response; expires after `give_up_after` seconds."""

    def __init__(self, give_up_after: float) -> None:
        self.give_up_after = give_up_after
        self.last_error = NO_RESPONSE  # the last error
        self.status = 0  # its status; 0 without a response
        self._since: float | None = None
        self._warned = False
        self._excused = 0.0  # seconds of requested waits in this outage
        self._excused_until = 0.0

    @property
    def waits(self) -> bool:
        """True if a call is waiting for a response, so that the timer runs already."""
        return self._since is not None

    def sent(self, now: float, call: str = "") -> None:
        """Start the timer, if no other call is waiting."""
        if self._since is None:
            self._since = now
            self.last_error = f"no response to {call}" if call else NO_RESPONSE
            self.status = 0

    def on_response(self, now: float, *, waits_for_more: bool) -> None:
        """Reset the timer on a usable response.

        `waits_for_more` if other calls are in flight.
        """
        self._since = now if waits_for_more else None
        self._warned = False
        self._excused = self._excused_until = 0.0

    def slept(self, now: float, seconds: float) -> None:
        """Exclude `seconds` in which this process did not run."""
        if self._since is not None:
            self._since = max(self._since, min(now, self._since + seconds))

    def excuse(self, now: float, wait: float) -> None:
        """Exclude a wait that the store asked for, up to an hour in total."""
        if self._since is None:
            return
        more = max(0.0, now + wait - max(now, self._excused_until))
        more = min(more, LONGEST_WAIT - self._excused)
        self._excused += more
        self._excused_until = max(now, self._excused_until) + more
        self._since += more

    def failed(self, reason: str, status: int = 0) -> None:
        """Record the error that came instead of a usable response."""
        self.last_error, self.status = reason, status

    def expired(self, now: float) -> str | None:
        """Return the reason to stop the run, None before the timer expires."""
        if self._since is None or now - self._since < self.give_up_after:
            return None
        return f"no usable response from the store for {now - self._since:.0f} s. Last error: {self.last_error}"

    def warning(self, now: float) -> str | None:
        """Return a warning, once per outage, when it has become long."""
        if self._since is None or self._warned or now - self._since < WARN_AFTER:
            return None
        self._warned = True
        return f"no usable response for {now - self._since:.0f} s, giving up after {self.give_up_after:g} s. Last error: {self.last_error}"
