"""Refusals that are one product's own, waits that the store names, and processes that stand still: how they are drawn, and their laws."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from jobs.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .draw import Scenario
    from .evidence import Evidence
    from .history import Sent

Found = tuple[int, str, str]
FOR_GOOD = (403, 404, 405, 501)
_WRITES = ("POST", "PUT", "DELETE")
LEAST = 20.0
"""The shortest time-out that the drawn settings know (`stall_after`), in seconds; looked at once a second."""


def draw_refusals(scenario: Scenario) -> None:
    """Each kind by a chance of its own."""
    chance = Random(f"imageferry {scenario.seed} refusals")
    if chance.random() < 0.06:
        _forbid(chance, scenario)
    if chance.random() < 0.06:
        scenario.config.delete_many_refused = chance.choice(FOR_GOOD)
    scenario.config.retry_after_form = chance.choice(["own", "own", "seconds", "date"])
    chance = Random(f"imageferry {scenario.seed} outages")
    if chance.random() < 0.06:
        for night in scenario.nights:
            night.faults = tuple(_with_a_time(chance, fault) for fault in night.faults)
            if night.noisy and chance.random() < 0.6:
                wait = chance.choice([1.0, 20.0, 90.0, 600.0])
                night.faults += (Fault("failed_before", 0.05, status=503, wait=wait, count=3),)
    chance = Random(f"imageferry {scenario.seed} naps")
    if chance.random() < 0.06:
        for night in scenario.nights:
            if night.noisy:
                night.nap = (int(2500 ** chance.random()), chance.choice([30.0, 130.0, 700.0, 4000.0]))


def _forbid(chance: Random, scenario: Scenario) -> None:
    """Writes to one product are refused with 403 in the noisy nights, whatever else goes wrong."""
    product = chance.choice(sorted(scenario.galleries))
    fault = Fault("failed_before", 1.0, _WRITES, f"/products/{product}/", status=403)
    for night in scenario.nights:
        if night.noisy:
            night.faults = (fault, *night.faults)


def _with_a_time(chance: Random, fault: Fault) -> Fault:
    if fault.kind != "failed_before" or fault.answer != 503:
        return fault
    return replace(fault, wait=chance.choice([1.0, 20.0, 90.0]))


def waits(case: Evidence) -> Iterator[Found]:
    """No call that was answered with a time to wait, on 429 or 503, is sent again by its process before that time."""
    asked: dict[tuple[int, str, str], Sent] = {}
    for call in case.world.line.sent:
        key = (call.process, call.method, call.path)
        former = asked.pop(key, None)
        if former is not None and call.at < former.told_at + former.asked - 1e-3:
            yield (
                call.product,
                "",
                f"call {call.number} goes {call.at - former.told_at:.1f} s after call {former.number}, which asked for {former.asked:g} s",
            )
        if call.asked > 0 and call.status in {429, 503}:
            asked[key] = call


def standstills(case: Evidence) -> Iterator[Found]:
    """No call is cut for being late while its process stood still: it was out for a time-out of its process's own time."""
    for call in case.world.line.sent:
        start = case.world.starts[call.process - 1]
        if call.told != "cut" or start.nap is None or (start.report is None and start.ending != "UnreachableError"):
            continue
        began, ended = start.nap
        own = call.told_at - call.at - max(0.0, min(ended, call.told_at) - max(began, call.at))
        silent = start.ending in {"UnreachableError", "interrupted"}
        if not silent and own < LEAST - 1.5:
            yield call.product, "", f"call {call.number} is cut after {own:.1f} s of its process's own time"


def own_refusals(case: Evidence) -> Iterator[Found]:
    """What one product is refused, or a call that the store doesn't have, ends no process, and takes no other calls with it."""
    for start in case.world.starts:
        if start.ending == "ForbiddenError":
            yield 0, "", f"process {start.number} ended with {start.error}"
