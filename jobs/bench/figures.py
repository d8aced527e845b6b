"""What a run came to: the figures that count, and what bound it. Pure.

`bound` is what an owner of the run would have to change to make it faster: the quota, the latency, a processor, or the source of the
pictures (writes that take much longer than listings, since the store fetches within the call).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .measure.processes import Measured, Usage

SPENT = 0.85
BUSY = 0.75
_MIB = 1024 * 1024
COUNTS = ("wanted", "unchanged", "created", "updated", "deleted", "adopted", "failed", "unknown")
"""What a run did, in images, by the contract's names."""


@dataclass(slots=True, frozen=True)
class QuotaFigures:
    """What became of the quota in the windows that were whole: the share that all apps used; the other app's lot of the whole run."""

    used: float | None
    windows: int
    throttled: int
    other_calls: int
    other_refused: int


def quota_of(readings: Sequence[Usage], quota: int | None, ended: float) -> QuotaFigures:
    """Fold the meter's readings at the windows' ends.

    The first window is the one after calls had begun, the last the one before the run `ended`; what lies between was whole.
    """
    first, last = readings[0], readings[-1]
    throttled = last.refused - first.refused
    refused = last.other_refused - first.other_refused
    others = last.other_taken - first.other_taken + refused
    whole = [each for each in readings[1:-1] if each.taken > first.taken and each.at < ended]
    windows = len(whole) - 1
    if quota is None or windows < 1:
        return QuotaFigures(None, 0, throttled, others, refused)
    spent = whole[-1].taken + whole[-1].other_taken - whole[0].taken - whole[0].other_taken
    return QuotaFigures(spent / (windows * quota), windows, throttled, others, refused)


def result_of(measured: Measured, quota: QuotaFigures, changes: int) -> dict[str, Any]:
    """The figures of one run, by the names that --json gives them."""
    told = measured.told
    calls = told["requests"]
    result = {
        "seconds": told["wall"],
        "calls": calls,
        "calls_a_second": calls / told["wall"],
        **{name: told[name] for name in COUNTS},
        "changes": changes,
        "calls_a_change": calls / changes if changes else None,
        "cpu_us_a_call": told["cpu"] / calls * 1e6 if calls else None,
        "peak_mib": measured.peak / _MIB,
        "throttled": told["throttled"],
        "retried": told["retried"],
        "planned": told.get("planned"),
        "quota_used": quota.used,
        "whole_windows": quota.windows,
        "other_calls": quota.other_calls,
        "other_refused": quota.other_refused,
        "cpu_share": told["cpu"] / told["wall"],
        "store_cpu_share": None if measured.store_cpu is None else measured.store_cpu / told["wall"],
        "in_flight": told["in_flight"],
    }
    return {"bound": bound(told, result), **result}


def bound(told: dict[str, Any], result: dict[str, Any]) -> str:
    """What held the run back most."""
    latency = told["latency"]
    listing, applying = latency.get("listing"), latency.get("applying")
    if (result["quota_used"] or 0.0) > SPENT or (told["quota"] and told["idle"] > 1 - BUSY):
        return "quota"
    if result["cpu_share"] > BUSY:
        return "processor"
    if (result["store_cpu_share"] or 0.0) > BUSY:
        return "processor (the sandbox's)"
    if told["retried"] and told["idle"] > 1 - BUSY:
        return "latency (waiting before another try)"
    if listing is not None and applying is not None and applying > 2 * listing + 0.05:
        return "source"
    return "latency"
