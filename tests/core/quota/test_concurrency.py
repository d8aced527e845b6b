"""The limit of calls in flight, as a pure function of the responses."""

import pytest

from imageferry.core.quota.concurrency import INITIAL_LIMIT, MAX_LIMIT, MIN_LIMIT, ConcurrencyLimit


def run_flow(flow: ConcurrencyLimit, seconds: float, slots: int, work: float, now: float = 0.0) -> float:
    """A store that serves `slots` at once, `work` seconds each, at full pressure, for so long; returns the clock."""
    end = now + seconds
    while now < end:
        taken = max(1.0, flow.limit / slots) * work
        for place in range(flow.limit):
            flow.saturated = True
            flow.on_response(now, now + taken + place * 1e-6)
        now += taken
    return now


def test_a_fixed_number_is_never_moved():
    """`--concurrency` stays what it is, under trouble and quota."""
    flow = ConcurrencyLimit(5)
    flow.on_error(0.0, 1.0)
    flow.set_quota(450, 30.0)
    run_flow(flow, 30.0, 40, 0.1, 2.0)
    assert flow.limit == 5
    assert flow.latency == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    ("latency", "quota", "limit"),
    [(0.02, 150, 8), (0.2, 150, 8), (0.8, 150, 8), (0.8, 450, 24), (2.0, 450, 60), (20.0, 450, INITIAL_LIMIT)],
)
def test_a_quota_asks_for_its_rate_times_the_latency_twice(latency, quota, limit):
    """Quota / window x latency x 2, at least 8; where that is over the most, it finds itself as without a quota."""
    flow = ConcurrencyLimit()
    flow.on_response(0.0, latency)
    flow.set_quota(quota, 30.0)
    assert flow.limit == limit


def test_it_grows_while_the_throughput_grows():
    """Up to what the store serves at once, or a step more; hardly short of the most and never over it."""
    flow = ConcurrencyLimit()
    run_flow(flow, 60.0, 20, 0.2)
    assert 18 <= flow.limit <= 30
    roomy = ConcurrencyLimit()
    run_flow(roomy, 60.0, 1000, 0.2)
    assert 0.9 * MAX_LIMIT <= roomy.limit <= MAX_LIMIT


def test_it_does_not_grow_unpressed():
    """Nothing is learned while fewer calls are in flight than the limit."""
    flow = ConcurrencyLimit()
    for n in range(5000):
        flow.on_response(n / 100, n / 100 + 0.01)
    assert flow.limit == INITIAL_LIMIT


def test_trouble_halves_it_once_for_all_that_were_out():
    """Ten failures of one moment are one sign; the next moment's is the next; there is a floor."""
    flow = ConcurrencyLimit()
    for _ in range(10):
        flow.on_error(1.0, 2.0)
    assert flow.limit == INITIAL_LIMIT // 2
    for moment in range(3, 20):
        flow.on_error(moment, moment + 0.5)
    assert flow.limit == MIN_LIMIT


def test_it_recovers_under_a_quota():
    """After trouble it comes back to what the quota asks for."""
    flow = ConcurrencyLimit()
    flow.on_response(0.0, 0.8)
    flow.set_quota(450, 30.0)
    asked = flow.limit
    flow.on_error(1.0, 1.5)
    flow.set_quota(450, 30.0)
    assert flow.limit == asked // 2
    now = 2.0
    for _ in range(600):
        flow.saturated = True
        flow.on_response(now, now + 0.8)
        flow.set_quota(450, 30.0)
        now += 0.1
    assert flow.limit == asked


def test_rising_latency_shrinks_it():
    """A store that grows slow and lets less through is pressed less."""
    flow = ConcurrencyLimit()
    now = run_flow(flow, 60.0, 20, 0.2)
    before = flow.limit
    run_flow(flow, 60.0, 8, 0.3, now)
    assert flow.limit < before
