"""An earlier result, to be compared with: read and judged before anything is measured, which takes its time. Reads one file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from .table import COMPARED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class BaselineError(Exception):
    """The file is no result of `imageferry bench --json`; the text says which file, and why."""


@dataclass(slots=True, frozen=True)
class Baseline:
    """The scenarios of an earlier result, and what it was taken on, as far as it tells."""

    scenarios: list[dict[str, Any]]
    machine: dict[str, Any]

    def differences(self, machine: Mapping[str, object]) -> list[str]:
        """A sentence where it was taken on another machine, or with other versions; ratios then compare more than the runs."""
        others = [f"{name} {then}" for name, then in self.machine.items() if name in machine and then != machine[name]]
        return (
            [f"the earlier result was taken elsewhere ({', '.join(others)}): its ratios say little"] if others else []
        )


def read(path: Path) -> Baseline:
    """The earlier result in the last line of a file.

    Raises FormerError.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        written = [line for line in lines if line.strip()]
        return _read(json.loads(written[-1]) if written else _none("it is empty"))
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise BaselineError(f"--compare {path}: not a result of `imageferry bench --json`: {reason}")


def _read(told: Any) -> Baseline:
    scenarios = told.get("scenarios") if type(told) is dict else None
    if type(scenarios) is not list or not scenarios:
        _none("it has no scenarios")
    for each in scenarios:
        if type(each) is not dict or type(each.get("name")) is not str:
            _none("a scenario has no name")
        for figure in COMPARED:
            if not _is_figure(each.get(figure)):
                _none(f"{each['name']}: {figure} is no figure")
    machine = told.get("machine")
    return Baseline(scenarios, machine if type(machine) is dict else {})


def _is_figure(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value) and value >= 0)


def _none(reason: str) -> NoReturn:
    raise ValueError(reason)
