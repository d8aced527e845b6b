"""Decision after each attempt of a call: retry, check first, or fail.

Pure; time and randomness are arguments.

| response                               | Resend.SAFE        | Resend.CHECK_FIRST |
|----------------------------------------|--------------------|--------------------|
| 2xx                                    | done               | done               |
| 401                                    | stop the run       | stop the run       |
| 403                                    | see permissions.py | see permissions.py |
| 404                                    | missing            | missing            |
| 429 (with headers or without)          | retry              | retry              |
| 409, 423                               | retry, 5 attempts  | retry, 5 attempts  |
| 500, 502, 503, 504, 509, other 5xx     | retry, 8 attempts  | lost: check first  |
| no usable response                     | retry, 8 attempts  | lost: check first  |
| never reached the store                | retry, 8 attempts  | retry, 8 attempts  |
| 501, 505, 507, 3xx, any other 4xx      | refused            | refused            |

A wait that the store names (X-Retry-After, Retry-After) comes before any retry. Sources: store-api.md section 4 (retry
guidance, forms of 429, 507 is final); performance.md section 3. The eight attempts count only if other calls succeeded
meanwhile; while none does, the API client retries until `give_up_after`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from ..errors import ForbiddenError, LostError, MissingError, RefusedError, StoreError, ThrottledError
from ..messages import NO_REASON, Resend
from .headers import read_headers, read_retry_after, why_ignored

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from ..messages import Response

TRIES = 8
CONFLICT_TRIES = 5
# Another app may use up the quota in every window; 100 windows are 50 minutes.
THROTTLED_TRIES = 100

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
# store-api.md section 4: writes should wait longer than reads.
WRITE_FACTOR = 2.0


class Outcome(Enum):
    """The outcome of one attempt, as far as the decision needs it."""

    DONE = "done"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    REFUSED = "refused"
    THROTTLED = "throttled"  # 429 with a plausible reset or wait
    BUSY = "busy"  # 429 without: the platform is overloaded
    CONFLICT = "conflict"  # 409, 423: the resource is locked
    TROUBLE = "trouble"  # 5xx: it may have been executed
    LOST = "lost"  # no usable response: it may have been executed
    UNSENT = "unsent"  # never reached the store


class Decision(Enum):
    """The API client's next step."""

    DONE = "done"
    STOP = "stop the run"
    FAIL = "fail this call"
    CHECK = "lost: the caller looks first"
    AGAIN = "again later"


_BY_STATUS = {
    401: Outcome.FORBIDDEN,
    403: Outcome.FORBIDDEN,
    404: Outcome.MISSING,
    409: Outcome.CONFLICT,
    423: Outcome.CONFLICT,
    501: Outcome.REFUSED,
    505: Outcome.REFUSED,
    507: Outcome.REFUSED,
}

_TERMINAL = {
    Outcome.DONE: Decision.DONE,
    Outcome.FORBIDDEN: Decision.STOP,
    Outcome.MISSING: Decision.FAIL,
    Outcome.REFUSED: Decision.FAIL,
}

_ERRORS: dict[Outcome, type[StoreError]] = {
    Outcome.FORBIDDEN: ForbiddenError,
    Outcome.MISSING: MissingError,
    Outcome.REFUSED: RefusedError,
    Outcome.TROUBLE: LostError,
    Outcome.LOST: LostError,
}

_TRIES = {Outcome.CONFLICT: CONFLICT_TRIES, Outcome.THROTTLED: THROTTLED_TRIES}

MAY_HAVE_HAPPENED = frozenset({Outcome.TROUBLE, Outcome.LOST})

# These are no usable responses; `--give-up-after` counts from the last usable one (contract.md).
UNUSABLE = frozenset({Outcome.BUSY, Outcome.TROUBLE, Outcome.LOST, Outcome.UNSENT})


def classify(status: int, *, has_retry_time: bool) -> Outcome:
    """Return the outcome for a status.

    `has_retry_time` if a 429 has a plausible wait or reset.
    """
    if 200 <= status < 300:
        return Outcome.DONE
    if status == 429:
        return Outcome.THROTTLED if has_retry_time else Outcome.BUSY
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    if 300 <= status < 500:
        return Outcome.REFUSED
    return Outcome.TROUBLE if 500 <= status < 600 else Outcome.LOST


def classify_response(
    response: Response, explain: Callable[[Response], str], wall: float | None = None
) -> tuple[Outcome, float | None, StoreError]:
    """Return outcome, requested wait in seconds, and error of an unsuccessful response.

    `wall` is the time now (seconds since 1970), for a wait given as a date.
    """
    wait = read_retry_after(response.headers, wall)
    outcome = classify(response.status, has_retry_time=wait is not None or read_headers(response.headers) is not None)
    if 300 <= response.status < 400:
        where = response.headers.get("location", "nowhere")
        reason = f"the API address redirects to {where[:200]!a}; give the store's own address as --api-url"
    else:
        reason = explain(response)
    if response.status == 429:
        reason = _throttled_reason(response, reason, dated=outcome is Outcome.THROTTLED)
    error_type = _ERRORS.get(outcome)
    error = ThrottledError(reason, wait, response.status) if error_type is None else error_type(reason, response.status)
    error.after = wait
    return outcome, wait, error


def _throttled_reason(response: Response, said: str, *, dated: bool) -> str:
    """Return the reason of a 429.

    Too many requests, the unusable wait, the store's text.
    """
    why = "too many requests" if dated else f"too many requests, and {why_ignored(response.headers)}"
    return why if said == NO_REASON else f"{why}: {said}"


def decide(outcome: Outcome, resend: Resend, tries: int, *, other_calls_succeed: bool) -> Decision:
    """Return the next step after `tries` attempts of one call.

    `other_calls_succeed` if another call had a usable response since the first attempt.
    """
    terminal = _TERMINAL.get(outcome)
    if terminal is not None:
        return terminal
    if resend is Resend.CHECK_FIRST and outcome in {Outcome.TROUBLE, Outcome.LOST}:
        return Decision.CHECK
    if outcome in _TRIES:
        return Decision.FAIL if tries >= _TRIES[outcome] else Decision.AGAIN
    return Decision.FAIL if tries >= TRIES and other_calls_succeed else Decision.AGAIN


def delay_before(tries: int, chance: random.Random, *, write: bool = False, asked: float | None = None) -> float:
    """Return the seconds to wait after `tries` attempts, at least `asked`.

    Exponential backoff, half of it jitter.
    """
    whole = min(FIRST_DELAY * (WRITE_FACTOR if write else 1.0) * 2.0 ** min(tries - 1, 16), LONGEST_DELAY)
    return max(whole * (0.5 + 0.5 * chance.random()), asked or 0.0)


def is_usable(status: int) -> bool:
    """Return True if a response of this status shows a store at work: no 429, and no 5xx but those that are its last word."""
    return status != 429 and (status < 500 or status in {501, 505, 507})


def given_up(error: StoreError, tries: int) -> RefusedError:
    """Return the final error of a call after `tries` attempts."""
    if isinstance(error, RefusedError):
        return error
    return RefusedError(f"{error.reason} (failed after {tries} attempts)", error.status)
