"""Results as a table for a person, and as ratios to an earlier result. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Result = dict[str, Any]
_SIZE = ("products", "images", "latency", "quota")
COMPARED = ("seconds", "calls", "calls_a_change", "cpu_us_a_call", "peak_mib", "quota_used")


def _number(digits: int) -> Callable[[Any], str]:
    return lambda value: f"{value:,.{digits}f}"


def _share(value: float) -> str:
    return f"{100 * value:.1f}%"


COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("scenario", "name", str),
    ("bound by", "bound", str),
    ("seconds", "seconds", _number(1)),
    ("calls", "calls", _number(0)),
    ("calls/s", "calls_a_second", _number(0)),
    ("calls a change", "calls_a_change", _number(2)),
    ("quota used", "quota_used", _share),
    ("429s", "throttled", _number(0)),
    ("CPU µs a call", "cpu_us_a_call", _number(0)),
    ("peak MiB", "peak_mib", _number(0)),
)


def lines(results: Sequence[Result]) -> list[str]:
    """The table, and below it what each scenario is."""
    told = grid(
        [
            [head for head, _, _ in COLUMNS],
            *([_cell(each, name, show) for _, name, show in COLUMNS] for each in results),
        ]
    )
    told.append("")
    told += [f"{each['name']}: {each['about']}{_planned(each)}{_remark(each)}" for each in results]
    return told


def _cell(result: Result, name: str, show: Callable[[Any], str]) -> str:
    value = result.get(name)
    return "-" if value is None else show(value)


def _planned(result: Result) -> str:
    planned = result.get("planned")
    return "" if planned is None else f"; {planned:,} calls planned, {result['calls']:,} sent"


def _remark(result: Result) -> str:
    return f". {result['remark']}" if "remark" in result else ""


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width; the first two are words and stand left, the others figures and stand right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            _set(cell, width, left=at < 2) for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _set(cell: str, width: int, *, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)


def compare(results: Sequence[Result], former: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Each result's ratios to the earlier one of the same name: now over then. None where one of them has no such figure.

    A result of another size is named with `why` instead of ratios.
    """
    earlier = {each["name"]: each for each in former}
    told: list[Result] = []
    for each in results:
        then = earlier.get(each["name"])
        if then is None:
            told.append({"name": each["name"], "why": "not in the earlier result"})
        elif any(each[name] != then.get(name) for name in _SIZE):
            told.append({"name": each["name"], "why": "of another size in the earlier result"})
        else:
            told.append({"name": each["name"], **{name: _ratio(each.get(name), then.get(name)) for name in COMPARED}})
    return told


def _ratio(now: float | None, then: float | None) -> float | None:
    return now / then if now is not None and then else None


def ratio_lines(ratios: Sequence[Result]) -> list[str]:
    """The ratios as a table."""
    comparable = [each for each in ratios if "why" not in each]
    told = ["now over then (1.00: as it was; below 1: less of it):"] if comparable else []
    if comparable:
        head = ["scenario", "", *(name.replace("_", " ") for name in COMPARED)]
        told += grid([head, *([each["name"], "", *(_times(each[name]) for name in COMPARED)] for each in comparable)])
    return told + [f"{each['name']}: {each['why']}" for each in ratios if "why" in each]


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
