"""The tables of the page and the sentences about what was measured, made of the results. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .goals import goals
from .quota import ALONE, BURSTS, HALF, STEADY
from .work import US

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Parts = dict[str, Any]
NOTHING = "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of words in the first column and figures in the others."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def goals_table(parts: Parts) -> list[str]:
    """What was to be reached, and what was."""
    met = {True: "yes", False: "**no**", None: NOTHING}
    rows = [(each.measure, each.budget, each.measured, met[each.met]) for each in goals(parts)]
    return table(("measure", "budget", "measured", "met"), rows) if rows else ["Nothing was measured so far."]


def quota_work(quota: Parts) -> list[str]:
    """What each run has to do, and under which quota."""
    sizes = quota["sizes"]
    products, images = sizes["quota_products"], sizes["quota_images"]
    return [
        f"Each run below lists {products:,} products and creates {images} images for each,",
        f"{products * (images + 1):,} calls, under {sizes['quota']} calls per {sizes['window']:g} s.",
    ]


def quota_table(quota: Parts, mix: str) -> list[str]:
    """All peers at all latencies."""
    beside = mix == STEADY
    head = ["", "latency", "quota used", "429s in 10,000", "the work takes"]
    rows = [
        [
            _name(peer),
            _latency(latency),
            _spread(each["used"], 3),
            f"{each['throttled_in_10000']:,.0f}",
            _time(each),
            *([_share(each["other_rejected"])] if beside else []),
        ]
        for latency, peers in _by_latency(quota[mix])
        for peer, each in sorted(peers.items(), key=lambda pair: pair[0] != US)
    ]
    return table(head + (["the other app's calls rejected"] if beside else []), rows)


def quota_more(quota: Parts) -> list[str]:
    """What only imageferry is put to."""
    rows = [
        [
            {BURSTS: BURSTS, HALF: "`--quota-share 50`, alone"}[mix],
            _latency(latency),
            _spread(peers[US]["used"], 3),
            f"{peers[US]['throttled_in_10000']:,.0f}",
            _share(peers[US]["other_rejected"]),
        ]
        for mix in (BURSTS, HALF)
        for latency, peers in _by_latency(quota[mix])
    ]
    return table(("imageferry", "latency", "quota used", "429s in 10,000", "the other app's calls rejected"), rows)


def wire_titles(wire: Parts) -> dict[str, str]:
    """The two kinds of work, with their sizes."""
    sizes = wire["sizes"]
    products, images = sizes["created_products"], sizes["created_products"] * sizes["created_images"]
    return {
        "list": f"list {sizes['listed']:,} products",
        "create": f"list {products:,} products, create {images:,} images",
    }


def wire_table(wire: Parts) -> list[str]:
    """The cheapest first."""
    head = ("", "work", "processor µs a call", "over the floor", "calls/s", "peak MB")
    rows = [
        [
            _name(peer),
            title,
            _spread(each["cpu_us"], 0),
            _spread(each["cpu_ratio"], 2),
            _spread(each["calls_a_second"], 0),
            _spread(each["peak_mb"], 0),
        ]
        for kind, title in wire_titles(wire).items()
        for peer, each in sorted(wire[kind]["peers"].items(), key=lambda pair: float(pair[1]["cpu_us"]["median"]))
    ]
    return table(head, rows)


def plan_work(plan: Parts) -> list[str]:
    """How many images."""
    return [f"Here: {plan['images']:,} wanted images against as many present ones."]


def plan_table(plan: Parts) -> list[str]:
    """Planning, then resuming, then the journal."""
    rows = [
        [_name(name), work, _spread(each["cpu"], 2), _spread(each["peak_mb"], 0)]
        for work in ("plan", "resume")
        for name, each in plan[work]["peers"].items()
    ]
    lines = table(("", "work", "processor seconds", "peak MB"), rows)
    journal = plan["journal"]
    told = f"The journal over {journal['calls']:,} calls: {_spread(journal['cpu_us'], 1)} µs of processor a call."
    return [*lines, "", told]


def whole_work(whole: Parts) -> list[str]:
    """How large, and how often it was measured."""
    products = whole["products"]
    hours = products / 15 / 3600
    return [
        f"Here: {products:,} products with {whole['images'] // products} images each, and a tenth of them. Each night was measured",
        "**once**, since it takes minutes: single figures, without a spread. The limit is the quota again: at 15 calls a second",
        f"{products:,} listings take {hours:,.1f} hours, whatever the processor does.",
    ]


def whole_table(whole: Parts) -> list[str]:
    """Both nights of both sizes."""
    rows = [
        [
            f"{size} run, {night} night",
            f"{each['calls']:,}",
            f"{each['seconds']:,.0f}",
            f"{each['cpu_us']:.0f}",
            f"{each['peak_mb']:.0f}",
        ]
        for size, pair in whole["nights"].items()
        for night, each in pair.items()
    ]
    return table(("no-op sync, measured once", "calls", "seconds", "processor µs a call", "peak MB"), rows)


def startup_table(startup: Parts) -> list[str]:
    """By the clock."""
    rows = [
        [f"`{name}`", _spread(each, 0), _spread(startup["ratios"][name], 1) if name in startup["ratios"] else "1"]
        for name, each in startup["peers"].items()
    ]
    told = f"Each was started {startup['starts']} times, in turn with the others."
    return [*table(("", "ms", "over bare python"), rows), "", told]


def quota_alone(quota: Parts) -> list[str]:
    """Nobody else about."""
    return quota_table(quota, ALONE)


def quota_beside(quota: Parts) -> list[str]:
    """Another app that calls at random."""
    return quota_table(quota, STEADY)


def _by_latency(mix: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(mix.items(), key=lambda each: float(each[0]))


def _latency(latency: str) -> str:
    return f"{float(latency) * 1000:.0f} ms"


def _spread(value: Mapping[str, float] | None, digits: int) -> str:
    """Median, and lowest to highest in brackets where they differ visibly."""
    if value is None:
        return NOTHING
    middle, low, high = (f"{value[name]:,.{digits}f}" for name in ("median", "low", "high"))
    return middle if low == high else f"{middle} ({low}-{high})"


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2%}"


def _time(figures: Mapping[str, Any]) -> str:
    about = "" if figures["whole"] else "about "
    return f"{about}{figures['seconds']['median']:,.0f} s"


def _name(peer: str) -> str:
    return f"**{peer}**" if peer.startswith(US) else peer
