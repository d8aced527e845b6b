"""Work without a store, a process for each: `python -m benchmarks.alone`, a task as JSON on standard input, one line of JSON back.

`cpu` is the processor time of the work alone, start-up and imports not counted.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from os import _exit
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import orjson

import engine
import engine.commands
from engine.core.dialect import v2
from engine.core.exchange import Answer
from engine.core.ledger import outcome, sent
from engine.core.order import Reading
from engine.core.plan import Header
from engine.disk import RealDisk
from engine.intake import check
from engine.journal import Journal
from engine.options import Seams
from engine.planfile import PlanWriter
from engine.survey import Former, Survey, joined

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.core.exchange import Request
    from engine.core.model import Present

Task = dict[str, Any]
_WORKERS = 32


def parse(task: Task) -> dict[str, Any]:
    """Parse every line of some files by orjson and keep nothing: the floor of reading."""
    began, count = time.process_time(), 0
    for path in task["paths"]:
        with Path(path).open("rb", buffering=1 << 18) as file:
            for line in file:
                orjson.loads(line)
                count += 1
    return {"cpu": time.process_time() - began, "lines": count}


def merge(task: Task) -> dict[str, Any]:
    """What imageferry does of a plan besides calling: check the manifest, read pages, diff, write the plan file."""
    with tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder:
        return asyncio.run(_merge(Path(task["manifest"]), Path(task["pages"]), Path(folder)))


async def _merge(manifest: Path, pages: Path, folder: Path) -> dict[str, Any]:
    began = time.process_time()
    with pages.open("rb", buffering=1 << 18) as file, check(manifest, files=None, spool=folder / "checkpoint") as wanted:

        async def listing(_product_id: int) -> list[Present]:
            return v2.read_images(Answer(200, {}, file.readline()))

        header = Header("sync", "store", str(manifest), wanted.digest, "", "", "", 0.0, Reading())
        writer = PlanWriter(RealDisk(), folder / "plan", header)
        survey = Survey(
            listing, writer, mirror=True, reading=Reading(), former=Former(), progress=engine.Progress(), stop=engine.Stop()
        )
        await survey.run(joined(wanted.read(), ()), lambda: 8)
        await writer.finish()
    summary = writer.summary
    return {
        "cpu": time.process_time() - began,
        "unchanged": summary.unchanged,
        "changes": summary.creates + summary.updates + summary.deletes,
    }


def dicts(task: Task) -> dict[str, Any]:
    """The usual script: both sides in memory, by product and name, then compared."""
    began = time.process_time()
    with Path(task["manifest"]).open("rb") as file:
        wanted = {row["product_id"]: row["images"] for row in map(orjson.loads, file)}
    present: dict[int, dict[str, Any]] = {}
    with Path(task["pages"]).open("rb") as file:
        for line in file:
            for image in orjson.loads(line):
                name = image["image_file"].rpartition("/")[2].rpartition("__")[0]
                present.setdefault(image["product_id"], {})[name] = image
    unchanged = changes = 0
    for product_id, images in wanted.items():
        there = present.get(product_id, {})
        for image in images:
            found = there.get(image["image_file"].rpartition("/")[2].rpartition(".")[0])
            same = found is not None and all(found[name] == image[name] for name in ("description", "sort_order", "is_thumbnail"))
            unchanged, changes = unchanged + same, changes + (not same)
    return {"cpu": time.process_time() - began, "unchanged": unchanged, "changes": changes}


def journal(task: Task) -> dict[str, Any]:
    """Journal an intent and an outcome for each call, each intent synced in a group before its call, from 32 workers at full speed."""
    with tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder:
        return anyio.run(_journal, task["calls"], Path(folder, "journal"))


async def _journal(calls: int, path: Path) -> dict[str, Any]:
    async def nothing(_number: int) -> None:
        await asyncio.sleep(0)

    bare = await _paced(calls, nothing)
    disk = RealDisk()
    writing = Journal(disk.create(path))

    async def journalled(number: int) -> None:
        await writing.intend(sent(number, "create:0"))
        await asyncio.sleep(0)
        writing.note(outcome("confirmed", number, "create:0", image_id=number))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writing.run)
        spent = await _paced(calls, journalled)
        writing.close()
    kept = sum(1 for _ in disk.lines(path))
    return {"cpu": spent, "cpu_us": (spent - bare) / calls * 1e6, "lines": kept}


async def _paced(calls: int, call: Callable[[int], Awaitable[None]]) -> float:
    began, numbers = time.process_time(), iter(range(calls))

    async def worker() -> None:
        for number in numbers:
            await call(number)

    async with anyio.create_task_group() as tasks:
        for _ in range(_WORKERS):
            tasks.start_soon(worker)
    return time.process_time() - began


class _Pretended:
    """A wire that is no store: empty at first, it creates whatever it is asked to; `until` creates, then it has the run stop."""

    def __init__(self, until: int, stop: engine.Stop) -> None:
        self._made = 0
        self._until = until
        self._stop = stop

    async def __call__(self, request: Request) -> Answer:
        await asyncio.sleep(0)
        if request.method == "GET":
            return Answer(200, {}, b'{"count":0}' if request.path.endswith("/count") else b"[]")
        self._made += 1
        if self._made == self._until:
            self._stop.ask()
        fields = orjson.loads(request.body or b"")
        name = fields["image_file"].rpartition("/")[2].replace(".jpg", "__12345.jpg")
        return Answer(201, {}, orjson.dumps({**fields, "id": self._made, "image_file": f"a/123/{name}"}))




def prepare(task: Task) -> dict[str, Any]:
    """Have the engine make the checkpoint of a migration that was stopped shortly before its end."""
    stop = engine.Stop()

    @asynccontextmanager
    async def wire(_access: engine.Access) -> AsyncIterator[_Pretended]:
        yield _Pretended(task["images"] - 2 * _WORKERS, stop)

    options = engine.Options(concurrency=_WORKERS)
    run = engine.migrate(_ACCESS, task["manifest"], options, stop=stop, seams=Seams(wire=wire))
    report = asyncio.run(_awaited(run))
    return {"cpu": time.process_time(), "outcome": report.outcome, "created": report.created}


def resume(task: Task) -> dict[str, Any]:
    """Go on with that migration, up to its first call about a product; the check of the manifest is left out of `cpu`."""
    told: dict[str, Any] = {}
    progress = _Clocked()

    async def wire(request: Request) -> Answer:
        await asyncio.sleep(0)
        if request.path.endswith("/images/count"):
            return Answer(200, {}, b'{"count":0}')
        told.update(progress.told())
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        _exit(0)  # what would follow is a run, and that is measured elsewhere

    @asynccontextmanager
    async def wired(_access: engine.Access) -> AsyncIterator[Any]:
        yield wire

    asyncio.run(_awaited(engine.migrate(_ACCESS, task["manifest"], progress=progress, seams=Seams(wire=wired))))
    raise RuntimeError("nothing was left to be resumed")


class _Clocked(engine.Progress):
    """Takes down the processor time at which each phase began."""

    def __init__(self) -> None:
        super().__init__()
        self._began = [("loading", time.process_time())]

    def begin(self, phase: str, *, products: int | None = None, images: int | None = None) -> None:
        """A new phase begins."""
        self._began.append((phase, time.process_time()))
        super().begin(phase, products=products, images=images)

    def told(self) -> dict[str, Any]:
        """Processor seconds by phase, and of all but the manifest's check."""
        ends = [at for _, at in self._began[1:]] + [time.process_time()]
        phases: dict[str, float] = {}
        for (phase, begun), ended in zip(self._began, ends, strict=True):
            phases[phase] = phases.get(phase, 0.0) + ended - begun
        return {"cpu": sum(spent for phase, spent in phases.items() if phase != "checking the manifest"), "phases": phases}


async def _awaited(run: Awaitable[engine.Report]) -> engine.Report:
    return await run


_ACCESS = engine.Access("bench", "bench", "http://127.0.0.1:9")
_KINDS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "parse": parse,
    "merge": merge,
    "dicts": dicts,
    "journal": journal,
    "prepare": prepare,
    "resume": resume,
}


def main() -> None:
    """Do what standard input says."""
    task = json.loads(sys.stdin.read())
    gc.collect()
    sys.stdout.write(json.dumps(_KINDS[task["kind"]](task)) + "\n")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
