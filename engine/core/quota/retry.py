"""What to do about one call's end: again later, look first, or give up. Tables and arithmetic; time and chance are arguments.

| what was seen                          | Replay.FREELY      | Replay.LOOK        |
|----------------------------------------|--------------------|--------------------|
| 2xx                                    | done               | done               |
| 401                                    | the run stops      | the run stops      |
| 403                                    | see rights.py      | see rights.py      |
| 404                                    | missing            | missing            |
| 429 (with headers, or bare)            | again              | again              |
| 409, 423                               | again, 5 tries     | again, 5 tries     |
| 500, 502, 503, 504, 509, other 5xx     | again, 8 tries     | lost: look first   |
| no usable answer                       | again, 8 tries     | lost: look first   |
| never reached the store                | again, 8 tries     | again, 8 tries     |
| 501, 505, 507, 3xx, any other 4xx      | refused            | refused            |

A wait that the store names (X-Retry-After, Retry-After) comes before any next sending. Sources: store-api.md section 4 (retry guidance, 429 forms, 507 terminal); performance.md section 3. The eight tries count only
where other calls went well meanwhile; while nothing does, the gate goes on until its `give_up_after`.
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
# Beside an app that leaves nothing over, a call may be turned away window after window; 100 windows are 50 minutes.
THROTTLED_TRIES = 100

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
# store-api.md section 4: writes should wait longer than reads.
WRITE_FACTOR = 2.0


class Outcome(Enum):
    """What one sending came to, as far as the question 'and now?' goes."""

    DONE = "done"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    REFUSED = "refused"
    THROTTLED = "throttled"  # 429 with a reset or a wait that can be believed
    BUSY = "busy"  # 429 without: the platform is overloaded
    CONFLICT = "conflict"  # 409, 423: someone holds the resource
    TROUBLE = "trouble"  # 5xx: it may have happened
    LOST = "lost"  # no usable answer: it may have happened
    UNSENT = "unsent"  # never reached the store


class Decision(Enum):
    """What the gate does next."""

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

# A usable answer proves that the store is there and speaks; `--give-up-after` counts from the last one (contract.md).
UNUSABLE = frozenset({Outcome.BUSY, Outcome.TROUBLE, Outcome.LOST, Outcome.UNSENT})


def classify(status: int, *, has_retry_time: bool) -> Outcome:
    """Sort an answer by its status; `dated` says that a 429 came with a reset or a wait that can be believed."""
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
    answer: Response, explain: Callable[[Response], str], wall: float | None = None
) -> tuple[Outcome, float | None, StoreError]:
    """Sort an answer that is no success: its kind, the wait in seconds that it asks for, and the error that it comes to.

    `wall` is the time now (seconds since 1970), for a wait that is given as a date.
    """
    wait = read_retry_after(answer.headers, wall)
    kind = classify(answer.status, has_retry_time=wait is not None or read_headers(answer.headers) is not None)
    if 300 <= answer.status < 400:
        where = answer.headers.get("location", "nowhere")
        reason = f"the API address redirects to {where[:200]!a}; give the store's own address as --api-url"
    else:
        reason = explain(answer)
    if answer.status == 429:
        reason = _turned_away(answer, reason, dated=kind is Outcome.THROTTLED)
    made = _ERRORS.get(kind)
    error = ThrottledError(reason, wait, answer.status) if made is None else made(reason, answer.status)
    error.after = wait
    return kind, wait, error


def _turned_away(answer: Response, said: str, *, dated: bool) -> str:
    """`too many requests, and it names a reset in 365 days, which isn't believed: the store's own words`."""
    why = "too many requests" if dated else f"too many requests, and {why_ignored(answer.headers)}"
    return why if said == NO_REASON else f"{why}: {said}"


def decide(kind: Outcome, replay: Resend, tries: int, *, other_calls_succeed: bool) -> Decision:
    """Decide after `tries` sendings of one call; `others_go_well`: another call was answered usably since this one's first."""
    terminal = _TERMINAL.get(kind)
    if terminal is not None:
        return terminal
    if replay is Resend.CHECK_FIRST and kind in {Outcome.TROUBLE, Outcome.LOST}:
        return Decision.CHECK
    if kind in _TRIES:
        return Decision.FAIL if tries >= _TRIES[kind] else Decision.AGAIN
    return Decision.FAIL if tries >= TRIES and other_calls_succeed else Decision.AGAIN


def delay_before(tries: int, chance: random.Random, *, write: bool = False, asked: float | None = None) -> float:
    """Seconds before the next sending after `tries` of them: exponential with half of it jitter, or `asked` if that is longer."""
    whole = min(FIRST_DELAY * (WRITE_FACTOR if write else 1.0) * 2.0 ** min(tries - 1, 16), LONGEST_DELAY)
    return max(whole * (0.5 + 0.5 * chance.random()), asked or 0.0)


def given_up(error: StoreError, tries: int) -> RefusedError:
    """Make the error of a call that fails for good after `tries` sendings."""
    if isinstance(error, RefusedError):
        return error
    return RefusedError(f"{error.reason} (given up after {tries} tries)", error.status)
