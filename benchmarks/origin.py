"""Where the figures come from: what was measured, how often, on which machine and commit, part by part. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .tables import table

if TYPE_CHECKING:
    from collections.abc import Mapping

Parts = dict[str, dict[str, Any]]
NAMES = ("startup", "wire", "plan", "whole", "quota")
"""The parts, in the order in which they are measured: the quick ones first, so that what is broken is seen early."""
ROUNDS = 5
"""Rounds of a full run; `whole` has one."""
_LIBRARIES = ("aiohttp", "anyio", "aiolimiter", "orjson", "bigcommerce")


def notice(parts: Parts) -> list[str]:
    """What keeps the page from being the full run's; nothing, where it is."""
    lines = []
    missing = [name for name in NAMES if name not in parts]
    if missing:
        lines.append(
            f"**The full run has not been made yet.** Not measured so far: {', '.join(missing)}. What the text says of their"
            " results was seen in single runs only."
        )
    tiny = [name for name, part in parts.items() if part["tiny"]]
    if tiny:
        lines.append(f"**Tiny sizes** ({', '.join(tiny)}): they show that all of it runs. The figures mean nothing.")
    few = [name for name, part in parts.items() if part["rounds"] < ROUNDS and name != "whole"]
    if few:
        lines.append(f"**Fewer than {ROUNDS} rounds** ({', '.join(few)}): medians and spreads say little.")
    return [line for each in lines for line in (each, "")][:-1]


def origin(parts: Parts) -> list[str]:
    """Machine and versions, then a row for each part; a second machine, or other versions, are named where they come in."""
    if not parts:
        return ["Nothing was measured so far."]
    machines: list[dict[str, Any]] = []
    for part in parts.values():
        if part["machine"] not in machines:
            machines.append(part["machine"])
    names = [f"machine {number}: " if len(machines) > 1 else "" for number in range(1, len(machines) + 1)]
    lines = [f"{name}{_described(each)}." for name, each in zip(names, machines, strict=True)]
    rows = [
        [
            name,
            str(part["rounds"]),
            f"{part['took_s'] / 60:,.1f} min",
            str(part["commit"] or "unknown"),
            *([str(machines.index(part["machine"]) + 1)] if len(machines) > 1 else []),
        ]
        for name, part in parts.items()
    ]
    head = ["part", "rounds", "took", "commit", *(["machine"] if len(machines) > 1 else [])]
    took = sum(part["took_s"] for part in parts.values()) / 60
    together = f"All of it together took {took:,.0f} min." if len(parts) == len(NAMES) else ""
    text = [line for each in lines for line in (each, "")]
    return [*text, *table(head, rows), *(["", together] if together else [])]


def _described(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {machine[name]}" for name in _LIBRARIES if machine.get(name))
    where = f"{machine['processors']} times {machine['processor']}, {machine['system']}, Python {machine['python']}"
    return f"{where}; {versions}"
