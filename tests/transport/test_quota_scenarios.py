"""The quota controller behind the gate, in virtual time, against a model of the store's quota: the table of situations."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import pytest

from imageferry.core.messages import Request
from imageferry.core.quota.stats import Limits
from imageferry.transport.client import ApiClient
from imageferry.transport.load import MOST_WORKERS

from ..quota_world import Latency, OpenStore, QuotaWorld, bursts, jobs, steady
from ..virtual import BEGIN, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from imageferry.core.messages import Response

GET = Request("GET", "/v2/products/1/images?page=1&limit=250")


def drive(
    wire: Callable[[Request], Awaitable[Response]], calls: int, limits: Limits | None = None, workers: int = 32
) -> ApiClient:
    """Send `calls` calls through a gate by so many workers, in virtual time."""
    gate = ApiClient(
        wire, limits=limits or Limits(), explain=lambda answer: f"HTTP {answer.status}", chance=random.Random(5)
    )
    left = calls

    async def work() -> None:
        nonlocal left
        while left > 0:
            gate.set_remaining(left)
            left -= 1
            await gate.send(GET, lambda answer: answer.body)

    async def whole() -> None:
        async with anyio.create_task_group() as background:
            background.start_soon(gate.run_watchdog)
            async with anyio.create_task_group() as group:
                for _ in range(workers):
                    group.start_soon(work)
            background.cancel_scope.cancel()

    run(whole)
    return gate


@pytest.mark.parametrize("phase", [BEGIN + 7.3, None], ids=["aligned to the clock", "from the first call"])
@pytest.mark.parametrize("latency", [0.02, 0.2, 0.8], ids=["20 ms", "200 ms", "800 ms"])
def test_alone_it_uses_the_quota_and_draws_no_429(latency, phase):
    """Ten thousand calls with nobody else about: at least 0.97 of the quota, at most three 429s."""
    world = QuotaWorld(latency=Latency(latency), phase=phase)
    drive(world, 10_000)
    assert world.used() >= 0.97
    assert world.throttled() <= 3


@pytest.mark.parametrize("latency", [0.02, 0.2, 0.8], ids=["20 ms", "200 ms", "800 ms"])
def test_beside_a_steady_app_it_leaves_that_app_alone(latency):
    """Beside an app that takes a fifth at random: 0.95 used by both, five 429s at most, 1% of the other's calls rejected at most."""
    world = QuotaWorld(latency=Latency(latency), others=steady(1.0, seed=3))
    drive(world, 10_000)
    assert world.used() >= 0.95
    assert world.throttled() <= 5
    assert world.others_rejected() <= 0.01


@pytest.mark.parametrize(("quota", "lasting"), [(150, 20.0), (450, 5.0)], ids=["Standard", "Pro"])
@pytest.mark.parametrize("latency", [0.02, 0.2, 0.8], ids=["20 ms", "200 ms", "800 ms"])
def test_beside_bursts_it_is_seldom_turned_away(latency, quota, lasting):
    """Beside bursts of 180 calls a minute: at most 50 429s in ten thousand calls, and the quota is used."""
    world = QuotaWorld(quota=quota, latency=Latency(latency), others=bursts(180, 60.0, lasting, seed=3))
    drive(world, 10_000)
    assert world.used() >= 0.95
    assert world.throttled() <= 50


@pytest.mark.parametrize("into", [0.5, 6.0, 18.0, 26.0], ids=["at the begin", "early", "late", "at the end"])
@pytest.mark.parametrize("latency", [0.02, 0.2, 0.8], ids=["20 ms", "200 ms", "800 ms"])
def test_beside_a_job_that_a_clock_starts(latency, into):
    """180 calls at once each minute, some way into a window: after two of them room is left for the next, and nearly all get through."""
    phase = BEGIN + 7.3
    world = QuotaWorld(quota=450, latency=Latency(latency), phase=phase, others=jobs(180, 60.0, phase + 60.0 + into))
    drive(world, 10_000)
    assert world.used() >= 0.94
    assert world.throttled() <= 50
    assert world.others_rejected() <= 0.2


@pytest.mark.parametrize("latency", [0.02, 0.2, 0.8], ids=["20 ms", "200 ms", "800 ms"])
def test_half_a_share_takes_half(latency):
    """`--quota-share 50` uses between 0.48 and 0.50 of the quota."""
    world = QuotaWorld(latency=Latency(latency))
    drive(world, 3_000, Limits(quota_share=0.5))
    assert 0.48 <= world.used_by_us() <= 0.50


NEIGHBOURS = {
    "a steady app": lambda: steady(1.0, 3),
    "an app that takes two fifths": lambda: steady(2.0, 3),
    "one that begins in the middle": lambda: steady(1.5, 3, begin=BEGIN + 200),
    "bursts": lambda: bursts(60, 60.0, 20.0, 3),
}


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
@pytest.mark.parametrize("latency", [0.02, 0.2, 0.8], ids=["20 ms", "200 ms", "800 ms"])
def test_half_a_share_takes_half_beside_others_who_have_room(latency, neighbour):
    """While the other half is enough for the others, `--quota-share 50` is what it is alone, and nobody is turned away."""
    world = QuotaWorld(latency=Latency(latency), others=NEIGHBOURS[neighbour]())
    drive(world, 3_000, Limits(quota_share=0.5))
    assert 0.48 <= world.used_by_us() <= 0.50
    assert world.throttled() == 0
    assert world.others_rejected() == 0.0


def test_a_share_that_others_have_taken_is_not_fought_for():
    """Beside an app that wants 60% of the quota, half a share is cut to what is left, and nearly all of its calls get through."""
    world = QuotaWorld(others=steady(3.0, 3))
    drive(world, 3_000, Limits(quota_share=0.5))
    assert 0.35 <= world.used_by_us() <= 0.42
    assert world.throttled() <= 3
    assert world.others_rejected() <= 0.04


SITUATIONS = {
    "heavier tails": lambda: (QuotaWorld(latency=Latency(0.2, 0.6, 0.05)), 0.97, 3),
    "heavier tails, slow": lambda: (QuotaWorld(latency=Latency(0.8, 0.6, 0.05)), 0.95, 3),
    "Pro": lambda: (QuotaWorld(quota=450), 0.97, 3),
    "Pro, slow": lambda: (QuotaWorld(quota=450, latency=Latency(0.8)), 0.97, 3),
    "another app begins in the middle": lambda: (QuotaWorld(others=steady(1.5, 3, begin=BEGIN + 200)), 0.95, 8),
    "another app takes two fifths": lambda: (QuotaWorld(others=steady(2.0, 3)), 0.95, 10),
    "bursts that leave nothing at all": lambda: (QuotaWorld(others=bursts(180, 60.0, 5.0, 3)), 0.95, 20),
    "halved in mid-run": lambda: (QuotaWorld(changes=[(BEGIN + 200, 75)]), 0.97, 8),
    "doubled in mid-run": lambda: (QuotaWorld(changes=[(BEGIN + 200, 300)]), 0.97, 3),
    "whole seconds, rounded up": lambda: (QuotaWorld(rounding="ceil"), 0.97, 3),
    "whole seconds, cut off": lambda: (QuotaWorld(rounding="floor"), 0.97, 3),
    "whole seconds, rounded": lambda: (QuotaWorld(rounding="round"), 0.97, 3),
    "whole seconds, window from the first call": lambda: (QuotaWorld(rounding="ceil", phase=None), 0.95, 3),
    "3 s windows": lambda: (QuotaWorld(quota=15, length=3.0), 0.97, 10),
    "3 s windows, quick": lambda: (QuotaWorld(quota=15, length=3.0, latency=Latency(0.02)), 0.97, 3),
    "3 s windows, slow": lambda: (QuotaWorld(quota=15, length=3.0, latency=Latency(0.8)), 0.95, 30),
    "the window is spent at the start": lambda: (QuotaWorld(spent=150), 0.97, 3),
    "the window is nearly spent at the start": lambda: (QuotaWorld(spent=140), 0.97, 3),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_it_copes_with(situation):
    """Each situation leaves the quota used and the 429s few (three thousand calls)."""
    world, used, throttled = SITUATIONS[situation]()
    drive(world, 3_000)
    assert world.used() >= used
    assert world.throttled() <= throttled


@pytest.mark.parametrize("seconds", [10.0, 25.0, 3605.0], ids=["10 s", "25 s", "an hour"])
def test_it_copes_with_a_machine_that_slept(seconds):
    """The store's clock went on while ours stood still: no crowd of 429s, and the windows after it are used."""
    world = QuotaWorld(sleeps=[(BEGIN + 200, seconds)])
    drive(world, 3_000)
    assert world.used_by_us() >= 0.93
    assert world.throttled() <= 3


@pytest.mark.parametrize("latency", [0.02, 0.2], ids=["20 ms", "200 ms"])
def test_the_last_calls_of_a_run_are_not_spread(latency):
    """A hundred calls that fit the room are over in seconds, not in the 20 that spreading them over the window would take."""
    world = QuotaWorld(latency=Latency(latency))
    ended = []

    async def timed(request: Request) -> Response:
        answer = await world(request)
        ended.append(anyio.current_time())
        return answer

    drive(timed, 100)
    assert max(ended) - BEGIN < 5.0
    assert world.throttled() == 0


def test_an_unlimited_store_is_not_paced():
    """Sixteen million calls a window are no limit: what is in flight decides."""
    world = QuotaWorld(quota=16_101_495)
    gate = drive(world, 5_000, workers=MOST_WORKERS)
    assert world.throttled() == 0
    assert gate._concurrency.limit > 16


def test_without_a_quota_it_grows_while_the_throughput_grows():
    """A store that serves 20 at once gets about that many; a crowd in its waiting line would bring nothing."""
    store = OpenStore(slots=20)
    gate = drive(store, 6_000, workers=MOST_WORKERS)
    assert 15 <= gate._concurrency.limit <= 40
    assert store.calls == 6_000


@pytest.mark.parametrize("status", [503, 429], ids=["503", "bare 429"])
def test_trouble_shrinks_what_is_in_flight(status):
    """A store that turns away whatever exceeds 12 at once is soon left in peace: few refusals, all calls done."""
    store = OpenStore(slots=64, limit=12, status=status)
    gate = drive(store, 3_000, workers=MOST_WORKERS)
    assert gate._concurrency.limit <= 18
    assert store.refused <= 150


def test_a_fixed_concurrency_is_kept():
    """`--concurrency` is what is in flight, no more and no less, whatever the throughput says."""
    store = OpenStore(slots=20)
    drive(store, 500, Limits(concurrency=3), workers=10)
    assert store.most_inside == 3


def test_the_users_own_ceiling_holds():
    """`--rate 20` lets 20 calls a second through and not one more, first second included."""
    store, sent = OpenStore(slots=50, work=0.05), []

    async def noted(request: Request) -> Response:
        sent.append(anyio.current_time())
        return await store(request)

    drive(noted, 400, Limits(rate=20.0))
    assert all(later - earlier >= 0.999 for earlier, later in zip(sent, sent[21:], strict=False))
    assert sent[-1] - sent[0] <= 20.5


def test_the_ceiling_holds_when_a_window_opens():
    """Permits of `--rate` aren't saved up while the quota is spent."""
    world, sent = QuotaWorld(spent=150), []

    async def noted(request: Request) -> Response:
        sent.append(anyio.current_time())
        return await world(request)

    drive(noted, 60, Limits(rate=4.0))
    assert all(later - earlier >= 0.99 for earlier, later in zip(sent[1:], sent[6:], strict=False))
