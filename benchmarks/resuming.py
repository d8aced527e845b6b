"""A migration that was stopped shortly before its end, and the run that goes on with it up to its first call.

The checkpoint is made by the engine itself, against a wire that pretends to be a store; so it is what the engine writes today.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager
from os import _exit
from typing import TYPE_CHECKING, Any

import orjson

import imageferry
import imageferry.verbs.apply
from imageferry.core.messages import Response
from imageferry.runs.context import Ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from imageferry.core.messages import Request

Task = dict[str, Any]
_WORKERS = 32
_ACCESS = imageferry.Access("bench", "bench", "http://127.0.0.1:9")


class _Pretended:
    """A wire that is no store: empty at first, it creates whatever it is asked to; `until` creates, then it has the run stop."""

    def __init__(self, until: int, stop: imageferry.Stop) -> None:
        self._made = 0
        self._until = until
        self._stop = stop

    async def __call__(self, request: Request) -> Response:
        await asyncio.sleep(0)
        if request.method == "GET":
            return Response(200, {}, b'{"count":0}' if request.path.endswith("/count") else b"[]")
        self._made += 1
        if self._made == self._until:
            self._stop.request()
        fields = orjson.loads(request.body or b"")
        name = fields["image_file"].rpartition("/")[2].replace(".jpg", "__12345.jpg")
        return Response(201, {}, orjson.dumps({**fields, "id": self._made, "image_file": f"a/123/{name}"}))


def prepare(task: Task) -> dict[str, Any]:
    """Have the engine make the checkpoint of a migration that was stopped shortly before its end."""
    stop = imageferry.Stop()

    @asynccontextmanager
    async def wire(_access: imageferry.Access) -> AsyncIterator[_Pretended]:
        yield _Pretended(task["images"] - 2 * _WORKERS, stop)

    options = imageferry.Options(concurrency=_WORKERS)
    run = imageferry.migrate(_ACCESS, task["manifest"], options, stop=stop, seams=Ports(transport=wire))
    report = asyncio.run(_awaited(run))
    return {"cpu": time.process_time(), "outcome": report.outcome, "created": report.created}


def resume(task: Task) -> dict[str, Any]:
    """Go on with that migration, up to its first call about a product; the check of the manifest is told apart, as `check_cpu`."""
    told: dict[str, Any] = {}
    progress = _Clocked()

    async def wire(request: Request) -> Response:
        await asyncio.sleep(0)
        if request.path.endswith("/images/count"):
            return Response(200, {}, b'{"count":0}')
        told.update(progress.told())
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        _exit(0)  # what would follow is a run, and that is measured elsewhere

    @asynccontextmanager
    async def wired(_access: imageferry.Access) -> AsyncIterator[Any]:
        yield wire

    asyncio.run(
        _awaited(imageferry.migrate(_ACCESS, task["manifest"], progress=progress, seams=Ports(transport=wired)))
    )
    raise RuntimeError("nothing was left to be resumed")


class _Clocked(imageferry.Progress):
    """Takes down the processor time at which each phase began."""

    def __init__(self) -> None:
        super().__init__()
        self._began = [("loading", time.process_time())]

    def start_phase(self, phase: str, *, products: int | None = None, images: int | None = None) -> None:
        """A new phase begins."""
        self._began.append((phase, time.process_time()))
        super().start_phase(phase, products=products, images=images)

    def told(self) -> dict[str, Any]:
        """Processor seconds of the manifest's check, which a first run makes as well, and of all the rest."""
        ends = [at for _, at in self._began[1:]] + [time.process_time()]
        phases: dict[str, float] = {}
        for (phase, begun), ended in zip(self._began, ends, strict=True):
            phases[phase] = phases.get(phase, 0.0) + ended - begun
        check = phases.pop("checking the manifest")
        return {"cpu": sum(phases.values()), "check_cpu": check}


async def _awaited(run: Awaitable[imageferry.Report]) -> imageferry.Report:
    return await run
