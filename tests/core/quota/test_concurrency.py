"""How many calls are worth having in flight, as a pure function of what came back."""

import pytest

from engine.core.quota.concurrency import EASY, LEAST, MOST, Flow


def run_flow(flow: Flow, seconds: float, slots: int, work: float, now: float = 0.0) -> float:
    """A store that serves `slots` at once, `work` seconds each, at full pressure, for so long; returns the clock."""
    end = now + seconds
    while now < end:
        taken = max(1.0, flow.limit / slots) * work
        for place in range(flow.limit):
            flow.pressed = True
            flow.answered(now, now + taken + place * 1e-6)
        now += taken
    return now


def test_a_fixed_number_is_never_moved():
    """`--concurrency` stays what it is, under trouble and quota."""
    flow = Flow(5)
    flow.trouble(0.0, 1.0)
    flow.led_by(450, 30.0)
    run_flow(flow, 30.0, 40, 0.1, 2.0)
    assert flow.limit == 5
    assert flow.latency == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    ("latency", "quota", "limit"),
    [(0.02, 150, 8), (0.2, 150, 8), (0.8, 150, 8), (0.8, 450, 24), (2.0, 450, 60), (20.0, 450, EASY)],
)
def test_a_quota_asks_for_its_rate_times_the_latency_twice(latency, quota, limit):
    """Quota / window x latency x 2, at least 8; where that is over the most, it finds itself as without a quota."""
    flow = Flow()
    flow.answered(0.0, latency)
    flow.led_by(quota, 30.0)
    assert flow.limit == limit


def test_it_grows_while_the_throughput_grows():
    """Up to what the store serves at once, or a step more; hardly short of the most and never over it."""
    flow = Flow()
    run_flow(flow, 60.0, 20, 0.2)
    assert 18 <= flow.limit <= 30
    roomy = Flow()
    run_flow(roomy, 60.0, 1000, 0.2)
    assert 0.9 * MOST <= roomy.limit <= MOST


def test_it_does_not_grow_unpressed():
    """Where the calls don't reach the bound, there is nothing to learn."""
    flow = Flow()
    for n in range(5000):
        flow.answered(n / 100, n / 100 + 0.01)
    assert flow.limit == EASY


def test_trouble_halves_it_once_for_all_that_were_out():
    """Ten failures of one moment are one sign; the next moment's is the next; there is a floor."""
    flow = Flow()
    for _ in range(10):
        flow.trouble(1.0, 2.0)
    assert flow.limit == EASY // 2
    for moment in range(3, 20):
        flow.trouble(moment, moment + 0.5)
    assert flow.limit == LEAST


def test_it_recovers_under_a_quota():
    """After trouble it comes back to what the quota asks for."""
    flow = Flow()
    flow.answered(0.0, 0.8)
    flow.led_by(450, 30.0)
    asked = flow.limit
    flow.trouble(1.0, 1.5)
    flow.led_by(450, 30.0)
    assert flow.limit == asked // 2
    now = 2.0
    for _ in range(600):
        flow.pressed = True
        flow.answered(now, now + 0.8)
        flow.led_by(450, 30.0)
        now += 0.1
    assert flow.limit == asked


def test_rising_latency_shrinks_it():
    """A store that grows slow and lets less through is pressed less."""
    flow = Flow()
    now = run_flow(flow, 60.0, 20, 0.2)
    before = flow.limit
    run_flow(flow, 60.0, 8, 0.3, now)
    assert flow.limit < before
