"""Use of the quota by other apps, estimated from our own responses."""

import pytest

from imageferry.core.quota.other_apps import OtherApps


def watched(counts: list[int], window: float = 30.0) -> OtherApps:
    """Others after so many calls of theirs in each of the windows, seen evenly."""
    others = OtherApps()
    others.roll_window(0.0)
    for place, count in enumerate(counts):
        for step in range(1, 31):
            others.observe(count * step // 30, place * window + step * window / 31)
        others.roll_window((place + 1) * window)
    return others


def test_nobody_gets_nothing():
    """Without other apps nothing is reserved."""
    others = watched([0, 0, 1, 0])
    assert not others.seen
    assert others.reserve(150, 150.0) == 0.0


def test_a_steady_app_gets_its_rate():
    """Thirty calls a window are expected again, with two deviations and 2% on top, and less as the reset comes nearer."""
    others = watched([30] * 6)
    assert others.seen
    begin = 180.0
    assert others.reserve(150, begin + 30.0) == pytest.approx(30 + 2 * 30**0.5 + 3, rel=0.3)
    others.observe(15, begin + 15.0)
    others.observe(20, begin + 20.0)
    others.observe(25, begin + 25.0)
    assert others.reserve(150, begin + 30.0) < 20.0
    assert others.reserve(150, begin + 25.0) == pytest.approx(3.0)


def test_an_app_that_goes_away_is_forgotten():
    """After some windows without a call of its, nothing is reserved any more."""
    assert not watched([30, *[0] * 10]).seen


def test_one_stray_estimate_is_no_app():
    """Calls overtake each other: a single high estimate counts for the room and blames nobody."""
    others = watched([0])
    others.observe(0, 31.0)
    others.observe(5, 32.0)
    assert (others.taken, others.seen) == (5, False)
    others.observe(0, 33.0)
    assert (others.taken, others.seen) == (0, False)


def test_a_burst_is_seen_at_once_and_ebbs_away():
    """Thirty calls in two seconds make more likely; half a minute later hardly any."""
    others = watched([0, 0])
    for step in range(11):
        others.observe(3 * step, 60.0 + step / 5)
    soon = others.unseen(70.0)
    others.observe(30, 85.0)
    assert soon > 15.0
    assert others.unseen(95.0) < soon / 2


def test_what_was_there_before_is_not_their_rate():
    """A window joined in the middle counts from then on only; a quarter of a window gives a first rate."""
    others = OtherApps()
    others.start_midway(100, 10.0)
    assert (others.taken, others.seen) == (100, False)
    for step in range(1, 11):
        others.observe(100 + step, 10.0 + step)
    assert others.seen
    others.roll_window(30.0)
    assert others.seen
    assert others.taken == 0
    assert 10.0 < others.unseen(60.0) < 60.0


def test_a_burst_is_forgotten_in_time():
    """After many windows of silence not even a trace of it is reckoned with."""
    others = watched([150, *[0] * 60])
    assert others.unseen(61 * 30.0 + 30.0) < 0.1
    assert others.unseen(0.0) == 0.0


def test_a_job_several_times_a_window_is_usual():
    """Fifteen calls each five seconds are ninety a window, and that many are left for them."""
    others = OtherApps()
    others.roll_window(0.0)
    for tick in range(1, 3001):
        now = tick / 10
        if tick % 300 == 0:
            others.roll_window(now)
        others.observe(15 * (int(now // 5) - int((now // 30) * 6)), now)
    others.roll_window(300.1)
    assert others.reserve(150, 330.0) > 60.0
