"""Rounds folded to medians with their spread. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    known = sorted(values)
    return {"median": median(known), "low": known[0], "high": known[-1]}


def folded(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One entry of the rounds of one peer: numbers become their spread (None counts for nothing), a truth has to hold in all."""
    told: dict[str, Any] = {}
    for name in rounds[0]:
        values = [each[name] for each in rounds if each[name] is not None]
        if values and isinstance(values[0], bool):
            told[name] = all(values)
        else:
            told[name] = spread(values) if values else None
    return told


def ratios(rounds: Sequence[Mapping[str, Mapping[str, Any]]], name: str, figure: str, floor: str) -> dict[str, float]:
    """How `name` stands to `floor` in `figure`, taken within each round, since the machine drifts from one to the next."""
    return spread(each[name][figure] / each[floor][figure] for each in rounds)
