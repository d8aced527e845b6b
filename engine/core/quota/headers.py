"""Rate-limit headers of one response, if plausible (store-api.md section 4).

Pure, without state.

A missing, infinite, negative or implausible number counts as absent: it must neither crash nor stall a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Seconds; a reset further off is implausible and ignored (contract.md, --give-up-after).
LONGEST_WAIT = 3600.0
# Seconds; the window of a store that names none (store-api.md section 4).
USUAL_WINDOW = 30.0
SHORTEST_WINDOW = 0.05
# "Unlimited" stores show 7 to 16 million; a far larger number is implausible.
MOST_CALLS = 1e12


@dataclass(slots=True)
class RateLimitHeaders:
    """Calls per window, calls left, seconds until the reset, and the window's length in seconds."""

    quota: int
    left: int
    reset: float
    window: float


def read_headers(headers: Mapping[str, str]) -> RateLimitHeaders | None:
    """Return the rate-limit headers, None if one is missing or implausible.

    Names are looked up in lower case.
    """
    text = headers.get("x-rate-limit-requests-quota")
    if text is None:
        return None
    quota = _number(text, MOST_CALLS)
    left = _number(headers.get("x-rate-limit-requests-left"), MOST_CALLS)
    reset = _number(headers.get("x-rate-limit-time-reset-ms"), LONGEST_WAIT * 1000)
    if quota is None or quota < 1 or left is None or reset is None:
        return None
    window = _number(headers.get("x-rate-limit-time-window-ms"), LONGEST_WAIT * 1000)
    length = max(USUAL_WINDOW, reset / 1000) if window is None else max(SHORTEST_WINDOW, window / 1000)
    return RateLimitHeaders(int(quota), int(min(left, quota)), reset / 1000, length)


def read_retry_after(headers: Mapping[str, str], wall: float | None = None) -> float | None:
    """Return the requested wait in seconds, up to an hour.

    None if absent or implausible.

    `X-Retry-After` (the store's own) is in seconds. `Retry-After` (RFC 9110) is in seconds or a date, which is compared with
    the response's own `Date` or else with `wall`, the local time (seconds since 1970).
    """
    own = headers.get("x-retry-after")
    if own is not None and (wait := _number(own, LONGEST_WAIT)) is not None:
        return wait
    text = headers.get("retry-after")
    if text is None:
        return None
    return _believed(_seconds_until(text, headers.get("date"), wall))


def _seconds_until(text: str, date: str | None, wall: float | None) -> float | None:
    """Return the seconds that a Retry-After names.

    0 for a date in the past.
    """
    if (seconds := _number(text, MOST_CALLS)) is not None:
        return seconds
    until, now = _date(text), wall if date is None else _date(date) or wall
    return None if until is None or now is None else max(0.0, until - now)


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _believed(wait: float | None) -> float | None:
    return wait if wait is not None and wait <= LONGEST_WAIT else None


def why_ignored(headers: Mapping[str, str]) -> str:
    """Return the reason that a 429 names no usable wait."""
    for name, per_second in (("x-retry-after", 1), ("retry-after", 1), ("x-rate-limit-time-reset-ms", 1000)):
        text = headers.get(name)
        if text is not None and _number(text, LONGEST_WAIT * per_second) is None:
            return f"it names {_span(text, per_second)}, which is implausible"
    if any(name.startswith("x-rate-limit-") for name in map(str.lower, headers)):
        return "its rate-limit headers are invalid"
    return "it names no wait"


def _span(text: str, per_second: int) -> str:
    """Return a far reset in days or hours, any other value as it is."""
    seconds = _number(text, MOST_CALLS)
    if seconds is None:
        return f"a reset of {text[:24]!a}"
    days = seconds / per_second / 86400
    return f"a reset in {days:,.0f} days" if days >= 2 else f"a reset in {days * 24:.1f} hours"


def _number(text: str | None, most: float) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and 0.0 <= value <= most else None
