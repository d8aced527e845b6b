"""The quota: a fixed window shared by all callers, told in four headers (store-api.md section 4)."""

import pytest

from imageferry.jobs.sandbox import Config
from imageferry.jobs.sandbox.traffic.rate_limit import RateLimiter

from .stores import opened

LEFT, QUOTA = "X-Rate-Limit-Requests-Left", "X-Rate-Limit-Requests-Quota"
WINDOW, RESET = "X-Rate-Limit-Time-Window-Ms", "X-Rate-Limit-Time-Reset-Ms"


def granted(meter, times):
    return [meter.take(now) for now in times]


def test_a_window_grants_its_quota_and_no_more():
    """The next window grants it again."""
    meter = RateLimiter(Config(quota=3, window_ms=1000), 0.0)
    assert granted(meter, [0.0, 0.1, 0.2, 0.3, 0.99, 1.0]) == [True, True, True, False, False, True]


def test_aligned_windows_follow_the_clock():
    """A call late in a window is followed by a whole new quota soon."""
    meter = RateLimiter(Config(quota=1, window_ms=1000), 0.0)
    assert granted(meter, [7.9, 7.95, 8.0, 8.9]) == [True, False, True, False]
    assert dict(meter.headers(8.9))[RESET] == "100"


def test_windows_may_begin_with_a_call():
    """Then the reset is a window away from the first call, and none is running before it."""
    meter = RateLimiter(Config(quota=1, window_ms=1000, windows="first-call"), 0.0)
    assert dict(meter.headers(7.5))[RESET] == "1000"
    assert granted(meter, [7.9, 8.0, 8.89, 8.9]) == [True, False, False, True]
    assert dict(meter.headers(9.4))[RESET] == "500"


def test_the_headers_tell_what_is_left():
    """Left goes down with each call, and is the whole quota in a new window."""
    meter = RateLimiter(Config(quota=2, window_ms=30_000), 0.0)
    meter.take(1.0)
    expected = {LEFT: "1", QUOTA: "2", WINDOW: "30000", RESET: "29000"}
    assert dict(meter.headers(1.0)) == expected
    assert dict(meter.headers(31.0))[LEFT] == "2"


def test_the_reset_may_be_told_in_whole_seconds():
    """Rounded up."""
    meter = RateLimiter(Config(quota=2, window_ms=30_000, whole_seconds=True), 0.0)
    assert dict(meter.headers(0.3))[RESET] == "30000"
    assert dict(meter.headers(29.3))[RESET] == "1000"


def test_the_quota_can_change_in_the_middle_of_a_window():
    """What is used stays used."""
    config = Config(quota=2)
    meter = RateLimiter(config, 0.0)
    assert granted(meter, [0.0, 0.1, 0.2]) == [True, True, False]
    config.quota = 3
    assert granted(meter, [0.3, 0.4]) == [True, False]
    config.quota = 1
    assert dict(meter.headers(0.5))[LEFT] == "0"


@pytest.mark.parametrize(
    ("switches", "names"),
    [({"quota": None}, set()), ({"rate_headers": False}, set()), ({"quota": 16_000_000}, {LEFT, QUOTA, WINDOW, RESET})],
    ids=["no quota", "no headers", "millions"],
)
def test_a_store_may_be_without_limit_in_three_ways(switches, names):
    """No quota, a quota that nobody is told of, or one that nobody can use up."""
    meter = RateLimiter(Config(**switches), 0.0)
    assert all(granted(meter, [0.0] * 100))
    assert dict(meter.headers(0.0)).keys() == names


def test_another_app_takes_its_share_by_the_seed():
    """What it takes is gone for us; the same seed takes the same."""
    meters = [RateLimiter(Config(quota=100, window_ms=10_000, other_rate=5.0, seed=seed), 0.0) for seed in (1, 1, 2)]
    left = [[int(dict(meter.headers(now))[LEFT]) for now in (2, 5, 9.9)] for meter in meters]
    assert left[0] == left[1] != left[2]
    assert 100 > left[0][0] > left[0][1] > left[0][2] > 0
    assert meters[0].usage.other_taken == 100 - left[0][2]


def test_another_app_can_come_in_bursts():
    """All at once, each so many seconds; what finds no room is refused to it, too."""
    meter = RateLimiter(Config(quota=30, window_ms=30_000, other_burst=40, other_every=10.0), 0.0)
    assert dict(meter.headers(9.9))[LEFT] == "30"
    assert dict(meter.headers(10.0))[LEFT] == "0"
    assert not meter.take(10.1)
    assert (meter.usage.other_taken, meter.usage.other_refused, meter.usage.refused) == (30, 10, 1)


async def test_a_call_beyond_the_quota_is_429_with_all_headers_and_changes_nothing():
    """Also for another caller: the quota is the store's."""
    async with opened(Config(products=1, images=1, quota=2, windows="first-call")) as (sandbox, store):
        first = await store.call("GET", store.images)
        assert first.headers[LEFT] == "1"
        await store.call("GET", store.images, headers={"X-Auth-Client": "somebody else"})
        refused = await store.call("DELETE", f"{store.images}/1")
        assert refused.status == 429
        assert {LEFT, QUOTA, WINDOW, RESET, "X-Retry-After"} <= refused.headers.keys()
        assert (refused.headers[LEFT], refused.json["status"]) == ("0", 429)
        assert (int(refused.headers["X-Retry-After"]) - 1) * 1000 <= int(refused.headers[RESET])
        assert sandbox.shop.catalogue.total_images == 1
        assert sandbox.conductor.meter.usage.refused == 1


async def test_a_stranger_uses_up_nothing():
    """A call without credentials is turned away before it is counted."""
    async with opened(Config(products=1, quota=5, windows="first-call")) as (_, store):
        await store.call("GET", store.images, headers={"X-Auth-Token": "wrong"})
        assert (await store.call("GET", store.images)).headers[LEFT] == "4"


async def test_a_refused_call_uses_up_quota(store):
    """A 404 counts like any other and has the headers."""
    before = int((await store.call("GET", store.images)).headers[LEFT])
    assert int((await store.call("GET", "/products/999999999")).headers[LEFT]) < before
