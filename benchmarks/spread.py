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
    """One entry of the rounds of one peer: numbers become their spread, anything else must be the same in all and is kept."""
    told: dict[str, Any] = {}
    for name, first in rounds[0].items():
        values = [each[name] for each in rounds]
        if isinstance(first, bool | str) or any(value is None for value in values):
            told[name] = first
        else:
            told[name] = spread(values)
    return told


def ratios(rounds: Sequence[Mapping[str, Mapping[str, Any]]], name: str, figure: str, floor: str) -> dict[str, float]:
    """How `name` stands to `floor` in `figure`, taken within each round, since the machine drifts from one to the next."""
    return spread(each[name][figure] / each[floor][figure] for each in rounds)
