"""Bursts of other apps that come again and again: told from what is usual, expected again, and given up when they stay away."""

import math
import random

import pytest

from imageferry.core.quota.bursts import Bursts

WINDOW = 30.0
SIZE = 180


def watched(
    begins: list[float], until: float, *, usual: float = 0.0, lasting: float = 0.0, spent: bool = False
) -> Bursts:
    """Bursts of SIZE that began at these times, looked at ten times a second; every window's end is told."""
    bursts, chance = Bursts(), random.Random(7)
    arrivals = sorted(begin + lasting * n / SIZE for begin in begins for n in range(SIZE))
    while 0.0 < usual < math.inf and (not arrivals or len(arrivals) < SIZE * len(begins) + usual * until):
        arrivals.append(chance.uniform(0.0, until))
    arrivals.sort()
    shown, since = 0, 0.0
    for tick in range(int(until * 10)):
        now = tick / 10
        more = sum(at <= now for at in arrivals[shown:])
        shown += more
        bursts.observe(more, now, usual, spent=spent and more >= SIZE)
        if now - since >= WINDOW:
            bursts.end_window(now, usual, since=since)
            since = now
    return bursts


def test_one_burst_promises_nothing() -> None:
    """A single burst is not expected again."""
    bursts = watched([20.0], 200.0)
    assert bursts.period is None
    assert bursts.due(80.0, 1000.0) == 0.0


@pytest.mark.parametrize("lasting", [0.0, 5.0], ids=["at once", "over five seconds"])
@pytest.mark.parametrize("usual", [0.0, 1.0], ids=["nobody else", "a steady app beside it"])
def test_two_of_them_promise_a_third(usual: float, lasting: float) -> None:
    """It is reckoned with until it is overdue, and with all that comes before the reset only."""
    bursts = watched([20.0, 80.0], 100.0, usual=usual, lasting=lasting)
    assert bursts.period == pytest.approx(60.0, abs=0.5)
    assert bursts.due(120.0, 150.0) == pytest.approx(SIZE, rel=0.1)
    assert bursts.due(120.0, 139.0) == 0.0
    assert bursts.due(150.0, 180.0) == 0.0


def test_what_has_come_is_not_waited_for() -> None:
    """Once the third is there, nothing is due before the fourth."""
    bursts = watched([20.0, 80.0, 140.0], 142.0)
    assert bursts.due(142.0, 170.0) == 0.0
    assert bursts.due(142.0, 210.0) == SIZE


def test_two_apps_with_bursts_are_told_apart() -> None:
    """Two jobs each minute, fifteen seconds apart: the shortest time after which all of it comes again is a minute."""
    bursts = watched([20.0, 35.0, 80.0, 95.0], 110.0)
    assert bursts.period == pytest.approx(60.0, abs=0.5)
    assert bursts.due(110.0, 150.0) == SIZE
    assert bursts.due(110.0, 180.0) == 2 * SIZE


def test_irregular_bursts_promise_nothing() -> None:
    """Without a time after which they come again nothing is kept free."""
    assert watched([20.0, 71.0, 130.0, 161.0, 250.0], 270.0).period is None


def test_a_job_that_ends_is_forgotten() -> None:
    """After one that did not come none is waited for."""
    bursts = watched([20.0, 80.0, 140.0], 400.0)
    assert bursts.period is None
    assert bursts.due(400.0, 1000.0) == 0.0


def test_one_that_met_the_end_of_the_quota_was_larger() -> None:
    """Nobody knows by how much: twice as much is kept free next time, and no more than was seen counts as theirs."""
    bursts = watched([20.0, 80.0], 100.0, spent=True)
    assert bursts.due(100.0, 150.0) == 2 * SIZE
    assert bursts.end_window(100.0, 0.0, since=70.0) == SIZE


def test_what_comes_several_times_a_window_is_usual() -> None:
    """A job that is started each five seconds has no bursts that could be waited for."""
    assert watched([5.0 * n for n in range(1, 30)], 150.0).period is None


def test_what_a_long_time_brought_is_no_burst() -> None:
    """Looks that are far apart can't tell a burst from an app that calls all the time."""
    bursts = Bursts()
    for n in range(60):
        bursts.observe(20, 5.0 * n, 0.0, spent=False)
        if n % 6 == 5:
            bursts.end_window(5.0 * n, 0.0, since=5.0 * (n - 6))
    assert bursts.period is None


def test_nothing_is_told_from_what_is_not_known() -> None:
    """Before a window was watched anything may be usual."""
    assert watched([20.0, 80.0], 100.0, usual=math.inf).period is None


def test_a_steady_app_has_no_bursts() -> None:
    """Sixty calls a minute at random, for an hour: nothing of it is taken for a burst that comes again."""
    assert watched([], 3600.0, usual=1.0).period is None
