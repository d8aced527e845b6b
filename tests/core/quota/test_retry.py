"""The table of what is done after a call, and the delays."""

import random

import pytest

from engine.core.errors import ForbiddenError, LostError, MissingError, RefusedError, ThrottledError, UnsentError
from engine.core.messages import UNSAID, Answer, Replay
from engine.core.quota.retry import (
    CONFLICT_TRIES,
    LONGEST_DELAY,
    THROTTLED_TRIES,
    TRIES,
    UNUSABLE,
    Kind,
    Move,
    delay_before,
    given_up,
    judge,
    kind_of,
    move_after,
)

KINDS = {
    200: Kind.DONE, 201: Kind.DONE, 204: Kind.DONE, 299: Kind.DONE,
    301: Kind.REFUSED, 304: Kind.REFUSED,
    400: Kind.REFUSED, 401: Kind.FORBIDDEN, 403: Kind.FORBIDDEN, 404: Kind.MISSING, 405: Kind.REFUSED, 409: Kind.CONFLICT, 413: Kind.REFUSED, 423: Kind.CONFLICT,
    429: Kind.BUSY, 499: Kind.REFUSED,
    500: Kind.TROUBLE, 501: Kind.REFUSED, 502: Kind.TROUBLE, 503: Kind.TROUBLE, 504: Kind.TROUBLE, 505: Kind.REFUSED, 507: Kind.REFUSED, 509: Kind.TROUBLE, 599: Kind.TROUBLE,
    0: Kind.LOST, 101: Kind.LOST, 600: Kind.LOST, -1: Kind.LOST,
}  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), KINDS.items(), ids=str)
def test_each_status_has_its_kind(status, kind):
    """The table at the head of retry.py, by status."""
    assert kind_of(status, dated=False) is kind
    assert kind_of(status, dated=True) is (Kind.THROTTLED if status == 429 else kind)


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_no_create_is_resent_blindly(kind):
    """With Replay.LOOK nothing that may have happened is ever sent again, at any count of tries."""
    for tries in (1, 2, 7, 8, 100):
        for well in (True, False):
            move = move_after(kind, Replay.LOOK, tries, others_go_well=well)
            assert (move is Move.LOOK) == (kind in {Kind.TROUBLE, Kind.LOST})


@pytest.mark.parametrize("replay", list(Replay), ids=lambda replay: replay.value)
@pytest.mark.parametrize(
    ("kind", "move"),
    [(Kind.DONE, Move.DONE), (Kind.FORBIDDEN, Move.STOP), (Kind.MISSING, Move.FAIL), (Kind.REFUSED, Move.FAIL)],
    ids=str,
)
def test_a_last_word_is_final_at_the_first_try(kind, move, replay):
    """Success, refusal and a stop don't depend on replay, tries or others."""
    assert move_after(kind, replay, 1, others_go_well=False) is move


@pytest.mark.parametrize(
    ("kind", "tries"),
    [
        (Kind.BUSY, TRIES),
        (Kind.TROUBLE, TRIES),
        (Kind.LOST, TRIES),
        (Kind.UNSENT, TRIES),
        (Kind.CONFLICT, CONFLICT_TRIES),
        (Kind.THROTTLED, THROTTLED_TRIES),
    ],
    ids=str,
)
def test_tries_are_bounded_while_others_go_well(kind, tries):
    """The last try but one goes again, the last one fails."""
    assert move_after(kind, Replay.FREELY, tries - 1, others_go_well=True) is Move.AGAIN
    assert move_after(kind, Replay.FREELY, tries, others_go_well=True) is Move.FAIL


@pytest.mark.parametrize("kind", sorted(UNUSABLE, key=lambda kind: kind.value), ids=lambda kind: kind.value)
def test_a_store_that_is_down_costs_no_tries(kind):
    """While nothing goes well, tries aren't counted: patience ends the run, not a number."""
    assert move_after(kind, Replay.FREELY, 1000, others_go_well=False) is Move.AGAIN


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
    """What the caller must do is the error's class; what the store said is its text."""
    _, _, failure = judge(Answer(status, {}, b""), lambda answer: f"said {answer.status}")
    assert type(failure) is error
    assert failure.status == status
    assert ("said" in failure.reason) == (status != 301)


def test_a_wait_of_the_answers_is_passed_on():
    """`X-Retry-After` reaches the delay and the error."""
    kind, wait, failure = judge(Answer(429, {"x-retry-after": "12"}, b""), lambda _: "busy")
    assert (kind, wait) == (Kind.THROTTLED, 12.0)
    assert isinstance(failure, ThrottledError)
    assert failure.after == 12.0


def test_a_call_that_was_given_up_is_refused():
    """What was seen and how often it was tried is in the text; a refusal stays what it is."""
    assert str(given_up(UnsentError("no route"), 8)) == "no route (given up after 8 tries)"
    missing = MissingError("gone", 404)
    assert given_up(missing, 1) is missing


@pytest.mark.parametrize(
    ("headers", "said", "reason"),
    [
        ({"x-retry-after": "12"}, UNSAID, "too many requests"),
        ({"x-retry-after": "12"}, "slow down", "too many requests: slow down"),
        ({}, UNSAID, "too many requests, and it doesn't say until when"),
        (
            {"x-retry-after": "31536000"},
            "slow down",
            "too many requests, and it names a reset in 365 days, which isn't believed: slow down",
        ),
    ],
    ids=["believed", "with words", "bare", "a year"],
)
def test_a_429_says_why_it_is_not_just_waited_for(headers, said, reason):
    """What the store names, if it isn't believed, and the store's own words."""
    assert judge(Answer(429, headers, b""), lambda _: said)[2].reason == reason
