"""The rate-limit headers of one answer, as far as they can be believed (store-api.md section 4). Pure reading, no memory.

A number that is missing, not finite, negative or beyond all reason reads as absent: it must neither crash nor stall a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# contract.md, --give-up-after: a reset up to an hour away is waited for, one further off isn't believed.
LONGEST_WAIT = 3600.0
# store-api.md section 4: today's window, for a store that doesn't say.
USUAL_WINDOW = 30.0
SHORTEST_WINDOW = 0.05
# "Unlimited" stores show 7 to 16 million; far above that it is no count of calls.
MOST_CALLS = 1e12


@dataclass(slots=True)
class RateLimitHeaders:
    """Calls allowed in this window, calls left in it, seconds until its end, and the window's length in seconds."""

    quota: int
    left: int
    reset: float
    window: float


def read_headers(headers: Mapping[str, str]) -> RateLimitHeaders | None:
    """Read quota, left and reset; None where one of them is missing or can't be believed. Names are looked up in lower case."""
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
    """The wait in seconds that is asked for, up to an hour; None where there is none or it can't be believed.

    `X-Retry-After` (the store's own) counts seconds; `Retry-After` (RFC 9110) seconds, or it is a date, which is compared
    with the answer's own `Date` and, without one, with `wall`, the time here (seconds since 1970).
    """
    own = headers.get("x-retry-after")
    if own is not None and (wait := _number(own, LONGEST_WAIT)) is not None:
        return wait
    text = headers.get("retry-after")
    if text is None:
        return None
    return _believed(_seconds_until(text, headers.get("date"), wall))


def _seconds_until(text: str, date: str | None, wall: float | None) -> float | None:
    """What a Retry-After says, in seconds; a date that has passed asks for none."""
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
    """Why a 429 says nothing that can be waited for, in words that a person can act on."""
    for name, per_second in (("x-retry-after", 1), ("retry-after", 1), ("x-rate-limit-time-reset-ms", 1000)):
        text = headers.get(name)
        if text is not None and _number(text, LONGEST_WAIT * per_second) is None:
            return f"it names {_span(text, per_second)}, which isn't believed"
    if any(name.startswith("x-rate-limit-") for name in map(str.lower, headers)):
        return "its rate-limit headers make no sense"
    return "it doesn't say until when"


def _span(text: str, per_second: int) -> str:
    """A far reset in days, anything else as it was said."""
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
