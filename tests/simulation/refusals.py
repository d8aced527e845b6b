"""Refusals that are one product's own, waits that the store names, and processes that stand still: how they are drawn, and their laws."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from imageferry.jobs.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .draw import Scenario
    from .evidence import Evidence
    from .history import Sent
    from .program import Start

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
    if chance.random() < 0.08:
        for night in scenario.nights:
            if night.noisy:
                night.faults += (Fault("failed_before", 0.3, status=503, count=20),)
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
    """Time in which a process stood still counts neither against its calls nor against the store."""
    for start in case.world.starts:
        if start.nap is None:
            continue
        calls = [call for call in case.world.line.sent if call.process == start.number]
        if start.ending == "UnreachableError":
            yield from _given_up_early(case, start, calls)
            continue
        for call in calls:
            own = _own_time(start, call.at, call.told_at)
            if call.told == "cut" and start.ending in {"done", "failed"} and own < LEAST - 1.5:
                yield call.product, "", f"call {call.number} is cut after {own:.1f} s of its process's own time"


def _given_up_early(case: Evidence, start: Start, calls: list[Sent]) -> Iterator[Found]:
    """The silence that ended a process lasted --give-up-after of its own time."""
    heard = [call.told_at for call in calls if call.told == "answered" and call.usable and call.status != 429]
    silent = _own_time(start, max(heard, default=start.began), start.ended)
    if silent < case.world.scenario.settings["give_up_after"] - 1.0:
        yield 0, "", f"process {start.number} gives up after {silent:.1f} s of its own time"


def _own_time(start: Start, since: float, until: float) -> float:
    """Seconds from one moment to another, less those in which the process stood still."""
    began, ended = start.nap or (until, until)
    return until - since - max(0.0, min(ended, until) - max(began, since))


def own_refusals(case: Evidence) -> Iterator[Found]:
    """A refusal of one product, or an unsupported call, ends no process and no other calls."""
    for start in case.world.starts:
        if start.ending == "ForbiddenError":
            yield 0, "", f"process {start.number} ended with {start.error}"
