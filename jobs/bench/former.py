"""An earlier result, to be compared with: read and judged before anything is measured, which takes its time. Reads one file."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from .table import COMPARED

if TYPE_CHECKING:
    from pathlib import Path


class FormerError(Exception):
    """The file is no result of `imageferry bench --json`; the text says which file, and why."""


def read(path: Path) -> list[dict[str, Any]]:
    """The scenarios of the last line of a file.

    Raises FormerError.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        written = [line for line in lines if line.strip()]
        return _scenarios(json.loads(written[-1])) if written else _none("it is empty")
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise FormerError(f"--compare {path}: not a result of `imageferry bench --json`: {reason}")


def _scenarios(told: Any) -> list[dict[str, Any]]:
    scenarios = told.get("scenarios") if type(told) is dict else None
    if type(scenarios) is not list or not scenarios:
        return _none("it has no scenarios")
    for each in scenarios:
        if type(each) is not dict or type(each.get("name")) is not str:
            return _none("a scenario has no name")
        for figure in COMPARED:
            if not _is_figure(each.get(figure)):
                return _none(f"{each['name']}: {figure} is no figure")
    return list(scenarios)


def _is_figure(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value) and value >= 0)


def _none(reason: str) -> list[dict[str, Any]]:
    raise ValueError(reason)
