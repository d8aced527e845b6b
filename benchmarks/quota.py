"""Under the quota: how much of it each peer uses, what 429s it draws, and what it costs another app. Hardly any processor is needed,
so the peers of one latency run at the same time, a store each.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from imageferry.jobs.bench.measure.processes import stage

from .spread import folded
from .work import QUOTA_PEERS, SDK, US, installed, perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sizes import Sizes

ALONE = "alone"
STEADY = "beside a steady app"
BURSTS = "beside bursts"
HALF = "half of the quota granted"
_OTHERS_SHARE = 0.2
# Of a window's quota, in one go, each second window: 180 calls a minute where 450 per 30 s are allowed. In windows of a tenth of
# that the calls that are in flight when a burst comes would weigh ten times as much, so these runs have windows of the real length,
# and are long enough for eight bursts. What a burst costs depends on how much of the window is left, hence runs of three phases.
_BURST, _BURST_EVERY = 0.4, 2
_PHASES = (1 / 6, 1 / 2, 5 / 6)
_TOGETHER = 14


def run(sizes: Sizes, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """All peers at all latencies, alone and beside a steady app; imageferry also beside bursts, and at one latency with half of the quota granted."""
    taken: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    cases = _cases(sizes)
    turns = [number % len(cases) for number in range(rounds)]
    order = [case for turn in turns for case in (*cases[turn:], *cases[:turn])]
    say(f"quota: {rounds} rounds of {len(cases)} runs, {_TOGETHER} at a time")
    bursts = [(latency, phase) for latency in sizes.latencies for phase in _PHASES]
    with ThreadPoolExecutor(_TOGETHER) as pool, ThreadPoolExecutor(len(bursts)) as beside:
        among_bursts = beside.map(partial(_beside_bursts, sizes), bursts)
        for number, (case, figures) in enumerate(zip(order, pool.map(partial(_one, sizes), order), strict=True), 1):
            taken.setdefault(case, []).append(figures)
            if number % len(cases) == 0:
                say(f"quota: round {number // len(cases)} of {rounds} is done")
        for (latency, _), figures in zip(bursts, among_bursts, strict=True):
            taken.setdefault((BURSTS, US, latency), []).append(figures)
    told: dict[str, Any] = {}
    for (mix, peer, latency), entries in sorted(taken.items()):
        told.setdefault(mix, {}).setdefault(str(latency), {})[peer] = folded(entries) | _in_all(entries)
    return told


def _cases(sizes: Sizes) -> list[tuple[str, str, float]]:
    """The slow ones first, so that they don't run on alone at the end."""
    cases = [
        (mix, peer, latency)
        for latency in sorted(sizes.latencies, reverse=True)
        for mix in (ALONE, STEADY)
        for peer in reversed(installed(QUOTA_PEERS))
    ]
    middle = sorted(sizes.latencies)[len(sizes.latencies) // 2]
    return [(HALF, US, middle), *cases]


def _one(sizes: Sizes, case: tuple[str, str, float]) -> dict[str, Any]:
    mix, peer, latency = case
    flags = ["--products", str(sizes.quota_products), "--latency", str(latency)]
    if mix == STEADY:
        flags += ["--other-rate", str(_OTHERS_SHARE * sizes.quota / sizes.window)]
    half = mix == HALF
    with stage(*flags, window=sizes.window, quota=sizes.quota) as store:
        return perform(
            store,
            peer,
            products=sizes.quota_products // (2 if half else 1),
            images=sizes.quota_images,
            latency=latency,
            limit=sizes.limit if peer in SDK else None,
            options={"quota_share": 0.5} if half else {},
        )


def _beside_bursts(sizes: Sizes, case: tuple[float, float]) -> dict[str, Any]:
    """One long run of ours; the other app's bursts come at this share of a window, for they count from the store's start."""
    latency, phase = case
    quota, window = sizes.burst_quota, sizes.burst_window
    flags = ["--products", str(sizes.burst_products), "--latency", str(latency)]
    flags += ["--other-burst", str(round(_BURST * quota)), "--other-every", str(_BURST_EVERY * window)]
    time.sleep((phase * window - time.time()) % window)
    with stage(*flags, window=window, quota=quota) as store:
        return perform(store, US, products=sizes.burst_products, images=sizes.quota_images, latency=latency)


def _in_all(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """What is counted over all rounds, since single ones say little: 429s in 10,000 calls, the other app's rejected share."""
    calls, others = sum(each["calls"] for each in entries), sum(each["other_calls"] for each in entries)
    return {
        "throttled_in_10000": 1e4 * sum(each["throttled"] for each in entries) / calls,
        "other_rejected": sum(each["other_refused"] for each in entries) / others if others else None,
    }
