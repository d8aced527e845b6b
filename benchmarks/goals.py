"""What was to be reached, and whether it was. Pure; a budget is judged by the figure that was measured, not by how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .quota import ALONE, BURSTS, HALF, STEADY
from .work import US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Part = dict[str, Any]


@dataclass(slots=True, frozen=True)
class Goal:
    """A measure, its budget in words, what was measured in words ("-" if nothing was), and whether that is within (None then)."""

    measure: str
    budget: str
    measured: str
    met: bool | None


def goals(parts: Mapping[str, Part]) -> list[Goal]:
    """The goals of all parts that were measured."""
    return [goal for part, judge in _JUDGES.items() if part in parts for goal in judge(parts[part])]


def _within(
    measure: str, value: float | None, form: str, *, least: float | None = None, most: float | None = None
) -> Goal:
    """Judge one figure; `form` shows value and bounds alike."""
    low, high = (None if bound is None else form.format(bound) for bound in (least, most))
    budget = f"≥ {low}" if high is None else f"≤ {high}" if low is None else f"{low} to {high}"
    if value is None:
        return Goal(measure, budget, "-", None)
    met = (least is None or value >= least) and (most is None or value <= most)
    return Goal(measure, budget, form.format(value), met)


def _worst(values: Iterable[float | None], worst: Callable[[list[float]], float]) -> float | None:
    """The worst of all, unless one is not known: then it might be that one."""
    known = list(values)
    sound = [value for value in known if value is not None]
    return worst(sound) if sound and len(sound) == len(known) else None


def _middle(value: Mapping[str, float] | None) -> float | None:
    return None if value is None else value["median"]


def _quota(quota: Part) -> Iterable[Goal]:
    for mix, least, most in ((ALONE, 0.97, 3), (STEADY, 0.95, 5)):
        entries = [peers[US] for peers in quota[mix].values()]
        used = _worst((_middle(each["used"]) for each in entries), min)
        yield _within(f"quota used {mix}, the worst latency", used, "{:.3f}", least=least)
        drawn = _worst((each["throttled_in_10000"] for each in entries), max)
        yield _within(f"429s in 10,000 calls {mix}, the worst latency", drawn, "{:.1f}", most=most)
    rejected = _worst((peers[US]["other_rejected"] for peers in quota[STEADY].values()), max)
    yield _within("the steady app's calls that are rejected, the worst latency", rejected, "{:.2%}", most=0.01)
    drawn = _worst((peers[US]["throttled_in_10000"] for peers in quota[BURSTS].values()), max)
    yield _within(f"429s in 10,000 calls {BURSTS}, the worst latency", drawn, "{:.1f}", most=50)
    for peers in quota[HALF].values():
        yield _within("quota used with `--quota-share 50`", _middle(peers[US]["used"]), "{:.4f}", least=0.48, most=0.5)


def _wire(wire: Part) -> Iterable[Goal]:
    for kind, word, most in (("list", "listing", 1.6), ("create", "creating", 1.8)):
        ratio = _middle(wire[kind]["ratio"])
        yield _within(f"processor a call of {word}, over the bare aiohttp loop", ratio, "{:.2f}", most=most)


def _plan(plan: Part) -> Iterable[Goal]:
    images, whole = plan["images"], plan["plan"]
    yield _within(
        f"reading and diffing {images:,} against as many, over orjson alone",
        _middle(whole["ratio"]),
        "{:.2f}",
        most=5,
    )
    peak = whole["peers"]["imageferry, unsorted"]["peak_mb"]["high"]
    yield _within("the same, manifest unsorted: highest peak", peak, "{:.0f} MB", most=200)
    yield _within(
        "journal, synced in groups before each call, processor a call",
        _middle(plan["journal"]["cpu_us"]),
        "{:.1f} µs",
        most=15,
    )
    yield _within(
        f"resuming {images:,} images, the manifest's check left out, over orjson alone",
        _middle(plan["resume"]["ratio"]),
        "{:.2f}",
        most=2,
    )


def _whole(whole: Part) -> Iterable[Goal]:
    work = f"no-op sync over {whole['products']:,} products with {whole['images'] // whole['products']} images"
    yield _within(f"{work}: peak", whole["peak_mb"], "{:.0f} MB", most=100)
    yield _within("the same over its tenth", whole["ratio"], "{:.2f}", most=1.2)
    planned, sent = whole["planned"], whole["sent"]
    yield Goal("calls planned = calls sent (mixed sync)", "equal", f"{planned:,} and {sent:,}", planned == sent)


def _startup(startup: Part) -> Iterable[Goal]:
    for name, budget in startup["budgets"].items():
        yield _within(f"`{name}` over bare python", _middle(startup["ratios"][name]), "{:.1f}", most=budget)


_JUDGES: dict[str, Callable[[Part], Iterable[Goal]]] = {
    "quota": _quota,
    "wire": _wire,
    "plan": _plan,
    "whole": _whole,
    "startup": _startup,
}
