"""The table of what is done after a call, and the delays."""

import random

import pytest

from imageferry.core.errors import ForbiddenError, LostError, MissingError, RefusedError, ThrottledError, UnsentError
from imageferry.core.messages import NO_REASON, Resend, Response
from imageferry.core.quota.retry import (
    CONFLICT_TRIES,
    LONGEST_DELAY,
    THROTTLED_TRIES,
    TRIES,
    UNUSABLE,
    Decision,
    Outcome,
    classify,
    classify_response,
    decide,
    delay_before,
    given_up,
)

KINDS = {
    200: Outcome.DONE, 201: Outcome.DONE, 204: Outcome.DONE, 299: Outcome.DONE,
    301: Outcome.REFUSED, 304: Outcome.REFUSED,
    400: Outcome.REFUSED, 401: Outcome.FORBIDDEN, 403: Outcome.FORBIDDEN, 404: Outcome.MISSING, 405: Outcome.REFUSED, 409: Outcome.CONFLICT, 413: Outcome.REFUSED, 423: Outcome.CONFLICT,
    429: Outcome.BUSY, 499: Outcome.REFUSED,
    500: Outcome.TROUBLE, 501: Outcome.REFUSED, 502: Outcome.TROUBLE, 503: Outcome.TROUBLE, 504: Outcome.TROUBLE, 505: Outcome.REFUSED, 507: Outcome.REFUSED, 509: Outcome.TROUBLE, 599: Outcome.TROUBLE,
    0: Outcome.LOST, 101: Outcome.LOST, 600: Outcome.LOST, -1: Outcome.LOST,
}  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), KINDS.items(), ids=str)
def test_each_status_has_its_kind(status, kind):
    """The table at the head of retry.py, by status."""
    assert classify(status, has_retry_time=False) is kind
    assert classify(status, has_retry_time=True) is (Outcome.THROTTLED if status == 429 else kind)


@pytest.mark.parametrize("kind", Outcome, ids=lambda kind: kind.value)
def test_no_create_is_resent_blindly(kind):
    """With Replay.LOOK nothing that may have happened is ever sent again, at any count of tries."""
    for tries in (1, 2, 7, 8, 100):
        for well in (True, False):
            move = decide(kind, Resend.CHECK_FIRST, tries, other_calls_succeed=well)
            assert (move is Decision.CHECK) == (kind in {Outcome.TROUBLE, Outcome.LOST})


@pytest.mark.parametrize("replay", list(Resend), ids=lambda replay: replay.value)
@pytest.mark.parametrize(
    ("kind", "move"),
    [
        (Outcome.DONE, Decision.DONE),
        (Outcome.FORBIDDEN, Decision.STOP),
        (Outcome.MISSING, Decision.FAIL),
        (Outcome.REFUSED, Decision.FAIL),
    ],
    ids=str,
)
def test_a_last_word_is_final_at_the_first_try(kind, move, replay):
    """Success, refusal and a stop don't depend on replay, tries or others."""
    assert decide(kind, replay, 1, other_calls_succeed=False) is move


@pytest.mark.parametrize(
    ("kind", "tries"),
    [
        (Outcome.BUSY, TRIES),
        (Outcome.TROUBLE, TRIES),
        (Outcome.LOST, TRIES),
        (Outcome.UNSENT, TRIES),
        (Outcome.CONFLICT, CONFLICT_TRIES),
        (Outcome.THROTTLED, THROTTLED_TRIES),
    ],
    ids=str,
)
def test_tries_are_bounded_while_others_go_well(kind, tries):
    """The last try but one goes again, the last one fails."""
    assert decide(kind, Resend.SAFE, tries - 1, other_calls_succeed=True) is Decision.AGAIN
    assert decide(kind, Resend.SAFE, tries, other_calls_succeed=True) is Decision.FAIL


@pytest.mark.parametrize("kind", sorted(UNUSABLE, key=lambda kind: kind.value), ids=lambda kind: kind.value)
def test_a_store_that_is_down_costs_no_tries(kind):
    """While nothing goes well, tries aren't counted: patience ends the run, not a number."""
    assert decide(kind, Resend.SAFE, 1000, other_calls_succeed=False) is Decision.AGAIN


def test_delays_double_up_to_a_minute():
    """Half of each delay is sure, half is chance; none is longer than a minute, at any number of tries."""
    chance = random.Random(1)
    for tries in range(1, 2000):
        whole = min(2.0 ** min(tries - 1, 10), LONGEST_DELAY)
        assert whole / 2 <= delay_before(tries, chance) <= whole


def test_writes_wait_longer_than_reads():
    """The same chance gives a write twice the delay, up to the longest."""
    assert delay_before(1, random.Random(3), write=True) == 2 * delay_before(1, random.Random(3))


def test_a_wait_that_was_asked_for_is_kept():
    """The longer of the own delay and the one asked for."""
    assert delay_before(1, random.Random(3), asked=45.0) == 45.0
    assert delay_before(6, random.Random(3), asked=0.1) >= 16.0


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ForbiddenError),
        (404, MissingError),
        (422, RefusedError),
        (301, RefusedError),
        (429, ThrottledError),
        (423, ThrottledError),
        (503, LostError),
        (777, LostError),
    ],
)
def test_each_answer_comes_to_its_error(status, error):
    """The error's class is what the caller must do, its text is the store's."""
    _, _, failure = classify_response(Response(status, {}, b""), lambda answer: f"said {answer.status}")
    assert type(failure) is error
    assert failure.status == status
    assert ("said" in failure.reason) == (status != 301)


def test_a_wait_of_the_answers_is_passed_on():
    """`X-Retry-After` reaches the delay and the error."""
    kind, wait, failure = classify_response(Response(429, {"x-retry-after": "12"}, b""), lambda _: "busy")
    assert (kind, wait) == (Outcome.THROTTLED, 12.0)
    assert isinstance(failure, ThrottledError)
    assert failure.after == 12.0


def test_a_call_that_was_given_up_is_refused():
    """The text has the last error and the number of attempts; a refusal is unchanged."""
    assert str(given_up(UnsentError("no route"), 8)) == "no route (failed after 8 attempts)"
    missing = MissingError("gone", 404)
    assert given_up(missing, 1) is missing


@pytest.mark.parametrize(
    ("headers", "said", "reason"),
    [
        ({"x-retry-after": "12"}, NO_REASON, "too many requests"),
        ({"x-retry-after": "12"}, "slow down", "too many requests: slow down"),
        ({}, NO_REASON, "too many requests, and it names no wait"),
        (
            {"x-retry-after": "31536000"},
            "slow down",
            "too many requests, and it names a reset in 365 days, which is implausible: slow down",
        ),
    ],
    ids=["believed", "with words", "bare", "a year"],
)
def test_a_429_says_why_it_is_not_just_waited_for(headers, said, reason):
    """The text has an implausible wait and the store's own words."""
    assert classify_response(Response(429, headers, b""), lambda _: said)[2].reason == reason
