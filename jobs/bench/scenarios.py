"""The scenarios as a table: what the store is like, what is to be done, and how large it is unless told otherwise. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, frozen=True)
class Scenario:
    """One run against a sandbox. `filled` is how the store begins: empty, or as the manifest was before the merchant's changes.

    `window` is the quota's window in seconds, `latency` seconds a call, `fetching` what a write takes on
    top, while the store fetches the picture; `night` runs the verb once unmeasured first, which is
    what makes the run before last night's. `faults` are the sandbox's.
    """

    name: str
    about: str
    verb: str
    products: int
    images: int
    filled: bool = False
    edited: bool = False
    night: bool = False
    latency: float = 0.0
    fetching: float = 0.0
    quota: int | None = None
    window: float = 3.0
    settle: float = 20.0
    faults: tuple[dict[str, Any], ...] = ()


SCENARIOS = (
    Scenario("cold", "cold migration: an empty store, no quota", "migrate", 1000, 4),
    Scenario("noop", "no-op night: nothing has changed since last night", "sync", 4000, 4, filled=True, night=True),
    Scenario(
        "mixed",
        "mixed sync: three in ten products changed, planned and applied",
        "apply",
        1000,
        4,
        filled=True,
        edited=True,
    ),
    Scenario("quota", "quota-bound: 150 calls per 3 s, 0.1 s a call", "migrate", 150, 4, latency=0.1, quota=150),
    Scenario("latency", "latency-bound: 0.2 s a call, no quota", "migrate", 200, 4, latency=0.2),
    Scenario(
        "source",
        "source-bound: the store takes 0.5 s to fetch a picture, 0.05 s for the rest, no quota",
        "migrate",
        100,
        4,
        latency=0.05,
        fetching=0.5,
    ),
    Scenario(
        "faults",
        "faults: one call in ten fails, is lost or done twice over",
        "migrate",
        100,
        4,
        settle=1.0,
        faults=(
            {"kind": "failed_before", "share": 0.02},
            {"kind": "failed_after", "share": 0.02, "methods": ["POST"]},
            {"kind": "dropped_after", "share": 0.02, "methods": ["POST"]},
            {"kind": "bare_429", "share": 0.02},
            {"kind": "cut_body", "share": 0.02, "methods": ["GET"]},
        ),
    ),
)
NAMES = tuple(scenario.name for scenario in SCENARIOS)
