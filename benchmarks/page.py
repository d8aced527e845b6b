"""The page, made of its text and the results; between `<!-- name -->` and `<!-- /name -->` nothing is written by hand. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import tables
from .origin import notice, origin

if TYPE_CHECKING:
    from collections.abc import Callable

Parts = dict[str, Any]

_OF_ALL: dict[str, Callable[[Parts], list[str]]] = {
    "notice": notice,
    "machine": origin,
    "goals": tables.goals_table,
}
_OF_A_PART: dict[str, tuple[str, Callable[[Parts], list[str]], str | None]] = {
    "quota-work": ("quota", tables.quota_work, None),
    "quota-alone": ("quota", tables.quota_alone, "Share of the quota that is used, alone"),
    "quota-beside": ("quota", tables.quota_beside, "Beside another app"),
    "quota-more": ("quota", tables.quota_more, None),
    "wire": ("wire", tables.wire_table, "Processor time a call"),
    "plan-work": ("plan", tables.plan_work, None),
    "plan": ("plan", tables.plan_table, "Planning: processor and memory"),
    "whole-work": ("whole", tables.whole_work, None),
    "whole": ("whole", tables.whole_table, None),
    "startup": ("startup", tables.startup_table, "Start-up"),
}
NAMES = frozenset({*_OF_ALL, *_OF_A_PART})
"""The places that the page has to have. A picture, where there is one, has the name of its place."""


def filled(text: str, parts: Parts) -> str:
    """The text with each marked place filled anew: what was not measured leaves its place empty."""
    for name in NAMES:
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if opened and closed:
            lines = "".join(f"{line}\n" for line in _lines(name, parts))
            text = f"{before}{begin}{lines}{end}{after}"
    return text


def _lines(name: str, parts: Parts) -> list[str]:
    if name in _OF_ALL:
        return _OF_ALL[name](parts)
    part, made, picture = _OF_A_PART[name]
    if part not in parts:
        return []
    shown = [] if picture is None else [f"![{picture}](results/{name}.svg)", ""]
    return [*shown, *made(parts[part])]
