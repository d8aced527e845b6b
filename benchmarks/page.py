"""The tables of the page, made of the results; between `<!-- name -->` and `<!-- /name -->` nothing is written by hand. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .quota import ALONE, BURSTS, HALF, STEADY
from .work import US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Parts = dict[str, Any]


def filled(page: str, results: Mapping[str, Any]) -> str:
    """The page with each marked place filled anew; a place whose part was not measured stays as it is."""
    for name, (part, made) in _TABLES.items():
        if part is None or part in results["parts"]:
            table = "\n".join(made(results))
            begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
            before, opened, rest = page.partition(begin)
            _, closed, after = rest.partition(end)
            page = f"{before}{begin}{table}\n{end}{after}" if opened and closed else page
    return page


def goals(parts: Parts) -> list[tuple[str, str, str, str]]:
    """What was to be reached: the measure, its budget, what was measured, and whether that is within it."""
    told: list[tuple[str, str, str, str]] = []
    for part, judge in _GOALS.items():
        if part in parts:
            for measure, budget, value, met in judge(parts[part]):
                told.append((measure, budget, value, "yes" if met else "**no**"))
    return told


Goal = tuple[str, str, str, bool]


def _quota_goals(quota: Parts) -> Iterable[Goal]:
    for mix, least, most in ((ALONE, 0.97, 3), (STEADY, 0.95, 5)):
        entries = [peers[US] for peers in quota[mix].values()]
        used = min(_middle(each["used"]) for each in entries)
        yield f"quota used {mix}, the worst latency", f"≥ {least}", f"{used:.3f}", used >= least
        drawn = max(each["throttled_in_10000"] for each in entries)
        yield f"429s in 10,000 calls {mix}, the worst latency", f"≤ {most}", f"{drawn:.1f}", drawn <= most
    rejected = max(peers[US]["other_rejected"] or 0.0 for peers in quota[STEADY].values())
    yield "the steady app's calls that are rejected", "≤ 1%", f"{100 * rejected:.2f}%", rejected <= 0.01
    for latency, peers in quota[BURSTS].items():
        drawn = peers[US]["throttled_in_10000"]
        yield f"429s in 10,000 calls {BURSTS}, {float(latency) * 1000:.0f} ms", "≤ 50", f"{drawn:.0f}", drawn <= 50
    for peers in quota[HALF].values():
        used = _middle(peers[US]["used"])
        yield "quota used with `--quota-share 50`", "0.48 to 0.50", f"{used:.3f}", 0.48 <= used < 0.5005


def _wire_goals(wire: Parts) -> Iterable[Goal]:
    for kind, word in (("list", "listing"), ("create", "creating")):
        ratio = wire[kind]["ratio"]["median"]
        yield f"processor a call of {word}, over the bare aiohttp loop", "≤ 1.4", f"{ratio:.2f}", ratio <= 1.4


def _plan_goals(plan: Parts) -> Iterable[Goal]:
    ratio = plan["plan"]["ratio"]["median"]
    yield (
        f"reading and diffing {plan['images']:,} against as many, over orjson alone",
        "≤ 5",
        f"{ratio:.2f}",
        ratio <= 5,
    )
    peak = plan["plan"]["peers"]["imageferry, unsorted"]["peak_mib"]["high"]
    yield "the same, manifest unsorted: peak", "≤ 200 MiB", f"{peak:.0f} MiB", peak <= 200
    spent = plan["journal"]["cpu_us"]["median"]
    yield "journal, synced in groups before each call", "≤ 15 µs a call", f"{spent:.1f} µs", spent <= 15
    ratio = plan["resume"]["ratio"]["median"]
    yield f"resuming {plan['images']:,} images, over orjson alone", "≤ 2", f"{ratio:.2f}", ratio <= 2


def _whole_goals(whole: Parts) -> Iterable[Goal]:
    peak, ratio = whole["peak_mib"], whole["ratio"]
    yield (
        f"no-op sync over {whole['products']:,} products with 4 images: peak",
        "≤ 100 MiB",
        f"{peak:.0f} MiB",
        peak <= 100,
    )
    yield "the same over its tenth", "≤ 1.2", f"{ratio:.2f}", ratio <= 1.2
    same = whole["planned"] == whole["sent"]
    yield "calls planned = calls sent (mixed sync)", "equal", f"{whole['planned']:,} and {whole['sent']:,}", same


def _startup_goals(startup: Parts) -> Iterable[Goal]:
    for name, budget in startup["budgets"].items():
        ratio = startup["ratios"][name]["median"]
        yield f"`{name}` over bare python", f"≤ {budget:.0f}", f"{ratio:.1f}", ratio <= budget


_GOALS: dict[str, Callable[[Parts], Iterable[Goal]]] = {
    "quota": _quota_goals,
    "wire": _wire_goals,
    "plan": _plan_goals,
    "whole": _whole_goals,
    "startup": _startup_goals,
}


def _goals_table(results: Mapping[str, Any]) -> list[str]:
    return _table(("measure", "budget", "measured", "met"), goals(results["parts"]))


def _machine(results: Mapping[str, Any]) -> list[str]:
    told = results["machine"]
    versions = ", ".join(
        f"{name} {told[name]}" for name in ("aiohttp", "anyio", "aiolimiter", "orjson", "bigcommerce") if told.get(name)
    )
    took = sum(part["took_s"] for part in results["parts"].values())
    rounds = min(part["rounds"] for part in results["parts"].values())
    where = f"{told['processors']} times {told['processor']}, {told['system']}, Python {told['python']}; {versions}; commit {results['commit']}"
    return [f"{where}. {rounds} rounds; all parts together took {took // 60} min."]


def _quota_table(mix: str) -> Callable[[Mapping[str, Any]], list[str]]:
    beside = mix == STEADY

    def made(results: Mapping[str, Any]) -> list[str]:
        head = [
            "",
            "latency",
            "quota used",
            "429s in 10,000",
            "the work takes",
            *(["the other app's calls rejected"] if beside else []),
        ]
        rows = []
        for latency, peers in sorted(results["parts"]["quota"][mix].items(), key=lambda each: float(each[0])):
            for peer, each in sorted(peers.items(), key=lambda pair: pair[0] != US):
                row = [
                    _name(peer),
                    f"{float(latency) * 1000:.0f} ms",
                    _spread(each["used"], 3),
                    f"{each['throttled_in_10000']:,.0f}",
                    _time(each),
                ]
                rows.append(row + ([f"{100 * (each['other_rejected'] or 0):.2f}%"] if beside else []))
        return _table(head, rows)

    return made


def _wire_table(results: Mapping[str, Any]) -> list[str]:
    head = ("", "work", "processor µs a call", "over the floor", "calls/s", "peak MiB")
    rows = [
        [
            _name(peer),
            {"list": "list", "create": "list and create"}[kind],
            _spread(each["cpu_us"], 0),
            _spread(each["cpu_ratio"], 2),
            _spread(each["calls_a_second"], 0),
            _spread(each["peak_mib"], 0),
        ]
        for kind in ("list", "create")
        for peer, each in sorted(
            results["parts"]["wire"][kind]["peers"].items(), key=lambda pair: _middle(pair[1]["cpu_us"])
        )
    ]
    return _table(head, rows)


def _plan_table(results: Mapping[str, Any]) -> list[str]:
    plan = results["parts"]["plan"]
    rows = [
        [_name(name), "plan", _spread(each["cpu"], 2), _spread(each["peak_mib"], 0)]
        for name, each in plan["plan"]["peers"].items()
    ]
    rows += [
        [_name(name), "resume", _spread(each["cpu"], 2), _spread(each["peak_mib"], 0)]
        for name, each in plan["resume"]["peers"].items()
    ]
    return _table(("", "work", "processor seconds", "peak MiB"), rows)


def _whole_table(results: Mapping[str, Any]) -> list[str]:
    nights = results["parts"]["whole"]["nights"]
    rows = [
        [
            f"{size} run, {night} night",
            f"{each['calls']:,}",
            f"{each['seconds']:.0f}",
            f"{each['cpu_us']:.0f}",
            f"{each['peak_mib']:.0f}",
        ]
        for size, pair in nights.items()
        for night, each in pair.items()
    ]
    return _table(("no-op sync", "calls", "seconds", "processor µs a call", "peak MiB"), rows)


def _startup_table(results: Mapping[str, Any]) -> list[str]:
    startup = results["parts"]["startup"]
    rows = [
        [f"`{name}`", _spread(each, 0), _spread(startup["ratios"][name], 1) if name in startup["ratios"] else "1"]
        for name, each in startup["peers"].items()
    ]
    return _table(("", "ms", "over bare python"), rows)


_TABLES: dict[str, tuple[str | None, Callable[[Mapping[str, Any]], list[str]]]] = {
    "machine": (None, _machine),
    "goals": (None, _goals_table),
    "quota-alone": ("quota", _quota_table(ALONE)),
    "quota-beside": ("quota", _quota_table(STEADY)),
    "wire": ("wire", _wire_table),
    "plan": ("plan", _plan_table),
    "whole": ("whole", _whole_table),
    "startup": ("startup", _startup_table),
}
NAMES = frozenset(_TABLES)
"""The places that the page has to have."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _middle(value: Mapping[str, float] | None) -> float:
    return 0.0 if value is None else value["median"]


def _spread(value: Mapping[str, float] | None, digits: int) -> str:
    """Median, and lowest to highest in brackets where they differ visibly."""
    if value is None:
        return "-"
    middle, low, high = (f"{value[name]:,.{digits}f}" for name in ("median", "low", "high"))
    return middle if low == high else f"{middle} ({low}-{high})"


def _time(figures: Mapping[str, Any]) -> str:
    about = "" if figures["whole"] else "about "
    return f"{about}{_middle(figures['seconds']):,.0f} s"


def _name(peer: str) -> str:
    return f"**{peer}**" if peer.startswith(US) else peer
