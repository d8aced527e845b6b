"""The process that is measured: one verb of the engine, as the command would run it, watched by its own progress.

Reads what to do as JSON from standard input (the token comes that way, so that no process list shows it), prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

import imageferry
import imageferry.transport.session  # these are loaded now, so that start-up isn't counted as part of the run
import imageferry.verbs.apply
import imageferry.verbs.plan
from imageferry.core.errors import FerryError
from imageferry.runs.context import Ports

from ... import exit_codes
from .limited_transport import LimitedTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOK_EVERY = 0.05
_TOLD = ("outcome", "products", "wanted", "unchanged", "created", "updated", "deleted", "adopted", "failed", "unknown")
_TRAFFIC = ("requests", "throttled", "retried")


class PhaseTimes(imageferry.Progress):
    """Progress that takes down when each phase began, by the clock and by the processor."""

    def __init__(self) -> None:
        super().__init__()
        self.phases: list[tuple[str, float, float]] = []

    def start_phase(self, phase: str, *, products: int | None = None, images: int | None = None) -> None:
        """A new phase begins."""
        self.phases.append((phase, time.perf_counter(), time.process_time()))
        super().start_phase(phase, products=products, images=images)

    def lasted(self) -> dict[str, dict[str, float]]:
        """Seconds of clock and processor of each phase; one that came twice is summed up."""
        now = ("", time.perf_counter(), time.process_time())
        told: dict[str, dict[str, float]] = {}
        for (phase, clock, cpu), (_, clock_after, cpu_after) in zip(self.phases, [*self.phases[1:], now], strict=True):
            entry = told.setdefault(phase, {"wall": 0.0, "cpu": 0.0})
            entry["wall"] += clock_after - clock
            entry["cpu"] += cpu_after - cpu
        return told


class Samples:
    """What was seen of the run a few times a second: how often it waited for the quota or for a pause, and the latency."""

    def __init__(self, progress: imageferry.Progress) -> None:
        self._progress = progress
        self.count = self.idle = self.in_flight = 0
        self.latency: dict[str, float] = {}
        self.quota: int | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            seen = self._progress.snapshot()
            if seen.traffic is None:
                continue
            self.count += 1
            self.idle += seen.traffic.waiting_for is not None
            self.in_flight += seen.traffic.in_flight
            self.quota = seen.traffic.quota or self.quota
            if seen.traffic.latency is not None:
                self.latency[seen.phase] = seen.traffic.latency

    def told(self) -> dict[str, Any]:
        """What it came to, shares from 0 to 1."""
        count = self.count or 1
        return {
            "idle": self.idle / count,
            "in_flight": self.in_flight / count,
            "latency": self.latency,
            "quota": self.quota,
        }


async def work(task: dict[str, Any]) -> dict[str, Any]:
    """Run the task's verb and tell what it did and cost, start-up apart."""
    async with anyio.create_task_group():
        pass  # anyio loads its backend when it is first used: start-up, too
    progress = PhaseTimes()
    samples = Samples(progress)
    looking = asyncio.get_running_loop().create_task(samples.run())
    began, clock, cpu = time.time(), time.perf_counter(), time.process_time()
    try:
        told = await _VERBS[task["verb"]](task, imageferry.Access(**task["access"]), _options(task), progress)
    except FerryError as error:
        code, outcome = exit_codes.of_error(error)
        told = {"error": str(error), "kind": type(error).__name__, "code": code, "outcome": outcome}
    told |= {
        "wall": time.perf_counter() - clock,
        "cpu": time.process_time() - cpu,
        "began": began,
        "ended": time.time(),
    }
    told |= {"phases": progress.lasted(), **samples.told()}
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    return told


def _options(task: dict[str, Any]) -> imageferry.Options:
    given = dict(task.get("options", {}))
    if "checkpoint" in given:
        given["checkpoint"] = Path(given["checkpoint"])
    if "max_deletes" in given:
        given["max_deletes"] = imageferry.MaxDeletes.parse(given["max_deletes"])
    return imageferry.Options(**given)


async def _carried(
    task: dict[str, Any], access: imageferry.Access, options: imageferry.Options, progress: imageferry.Progress
) -> dict[str, Any]:
    verb = {"migrate": imageferry.migrate, "sync": imageferry.sync, "verify": imageferry.verify}[task["verb"]]
    return _told(await verb(access, task["manifest"], options, progress=progress))


async def _planned_and_applied(
    task: dict[str, Any], access: imageferry.Access, options: imageferry.Options, progress: imageferry.Progress
) -> dict[str, Any]:
    """A plan as for a person, then `apply`: what it says in calls, and what was sent."""
    proposal = await imageferry.plan(access, task["manifest"], options)
    report = await imageferry.apply(access, str(proposal.plan), options, progress=progress)
    return _told(report) | {"planned": proposal.calls, "refusal": proposal.refusal}


async def _sampled(
    task: dict[str, Any], access: imageferry.Access, options: imageferry.Options, progress: imageferry.Progress
) -> dict[str, Any]:
    """The first `products` products of a real store as a manifest, with images or without: listings only, one for each.

    A product that can't be listed, or an image without an address, keeps its product out; the others are told as `sampled`.
    """
    first = LimitedTransport(task["products"])
    lines: dict[int, bytes] = {}

    @asynccontextmanager
    async def wired(access: imageferry.Access) -> AsyncIterator[LimitedTransport]:
        async with Ports().transport(access) as wire:
            first.transport = wire
            yield first

    def take(data: bytes) -> None:
        lines[json.loads(data)["product_id"]] = data

    report = await imageferry.export(access, take, options, progress=progress, seams=Ports(transport=wired))
    failed = {failure.product_id for failure in report.failures}
    sampled = [product_id for product_id in first.ids if product_id not in failed]
    bare = '{{"product_id": {}, "images": []}}\n'
    rows = (lines.get(product_id) or bare.format(product_id).encode() for product_id in sampled)
    Path(task["manifest"]).write_bytes(b"".join(rows))
    return _told(report) | {"sampled": len(sampled), "left_out": len(failed)}


def _told(report: imageferry.Report) -> dict[str, Any]:
    told = {name: getattr(report, name) for name in (*_TOLD, *_TRAFFIC)}
    return told | {"failures": [asdict(each) for each in report.failures[:3]]}


_VERBS = {"migrate": _carried, "sync": _carried, "verify": _carried, "apply": _planned_and_applied, "sample": _sampled}


def main() -> None:
    """Do what standard input says."""
    task = json.loads(sys.stdin.read())
    sys.stdout.write(json.dumps(asyncio.run(work(task))) + "\n")


if __name__ == "__main__":
    main()
