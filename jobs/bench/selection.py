"""Which scenarios run, and which flags fit them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..cli.flags import GROUPS, Flag
from .scenarios import NAMES, SCENARIOS, Scenario

if TYPE_CHECKING:
    import argparse

_SANDBOX_ONLY = {
    "scenario": "bench_scenarios",
    "images": "bench_images",
    "latency": "bench_latency",
    "quota": "bench_quota",
}


_STORE_PACE = {"--concurrency", "--rate", "--quota-share", "--give-up-after"}


def _store_flags() -> list[Flag]:
    """Of the flags that all commands share, those that mean something to a run that only lists."""
    return [*GROUPS["store"][1], *(flag for flag in GROUPS["limits"][1] if flag.names[0] in _STORE_PACE)]


def chosen(arguments: argparse.Namespace) -> list[Scenario]:
    """The scenarios that the flags name, with what the flags change of them."""
    names = arguments.bench_scenarios or NAMES
    changes = {name: getattr(arguments, f"bench_{name}") for name in ("products", "images", "latency", "quota")}
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("quota") == "none":
        given["quota"] = None
    return [
        replace(scenario, **given, about=_about(scenario, given)) for scenario in SCENARIOS if scenario.name in names
    ]


def _about(scenario: Scenario, given: dict[str, Any]) -> str:
    """A scenario whose latency or quota was changed must not go on under its own description."""
    told = [
        f"{name} {value}"
        for name, value in given.items()
        if name in {"latency", "quota"} and value != asdict(scenario)[name]
    ]
    return f"{scenario.about} (but {', '.join(told)})" if told else scenario.about


def misfit(arguments: argparse.Namespace) -> str | None:
    """Why these flags make no sense together, in one sentence; None where they do."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    if arguments.bench_store:
        lost = [f"--{name}" for name, where in _SANDBOX_ONLY.items() if where in given]
        return f"{', '.join(lost)}: --store lists the store as it is, nothing of it can be chosen" if lost else None
    lost = [name for flag in _store_flags() for name in flag.names if name[2:].replace("-", "_") in given]
    return f"{', '.join(lost)}: for a run against a real store, which --store asks for" if lost else None
