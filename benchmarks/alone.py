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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import orjson

import imageferry
from imageferry.core.checkpoint.events import outcome, sent
from imageferry.core.dialects import v2
from imageferry.core.diff.renumbering import RenumberingModel
from imageferry.core.messages import Response
from imageferry.core.plan.batch import Header
from imageferry.disk.checkpoint.journal import Journal
from imageferry.disk.filesystem import LocalDisk
from imageferry.disk.manifest.reader import check_manifest
from imageferry.disk.plan_file import PlanWriter
from imageferry.runs.planner import Planner, PriorRun
from imageferry.transport.load import MOST_WORKERS

from .resuming import prepare, resume

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from imageferry.core.model import StoredImage

Task = dict[str, Any]
_FIELDS = {"description": "View 1", "sort_order": 0, "is_thumbnail": True}


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
    with (
        pages.open("rb", buffering=1 << 18) as file,
        check_manifest(manifest, files=None, spool=folder / "checkpoint") as wanted,
    ):

        async def listing(_product_id: int) -> list[StoredImage]:
            return v2.read_images(Response(200, {}, file.readline()))

        async def no_image(_product_id: int, _image_id: int) -> StoredImage:
            raise NotImplementedError  # a first run asks for no single image

        header = Header("sync", "store", str(manifest), wanted.digest, "", "", "", 0.0, RenumberingModel())
        writer = PlanWriter(LocalDisk(), folder / "plan", header)
        survey = Planner(
            listing,
            writer,
            image=no_image,
            delete_extra=True,
            reading=RenumberingModel(),
            prior=PriorRun(),
            progress=imageferry.Progress(),
            stop=imageferry.Stop(),
        )
        await survey.run(((product, {}) for product in wanted.read()), lambda: 8)
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
            same = found is not None and all(
                found[name] == image[name] for name in ("description", "sort_order", "is_thumbnail")
            )
            unchanged, changes = unchanged + same, changes + (not same)
    return {"cpu": time.process_time() - began, "unchanged": unchanged, "changes": changes}


def journal(task: Task) -> dict[str, Any]:
    """Journal an intent and an outcome for each call, each intent synced in a group before its call.

    From as many workers as the engine has at full speed.
    """
    with tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder:
        return anyio.run(_journal, task["calls"], Path(folder, "journal"))


async def _journal(calls: int, path: Path) -> dict[str, Any]:
    async def nothing(_number: int) -> None:
        await asyncio.sleep(0)

    bare = await _paced(calls, nothing)
    disk = LocalDisk()
    writing = Journal(disk.create(path))

    async def journalled(number: int) -> None:
        await writing.write_ahead(sent(number, "create:0", fields=_FIELDS))
        await asyncio.sleep(0)
        writing.append(outcome("confirmed", number, "create:0", image_id=number))

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
        for _ in range(MOST_WORKERS):
            tasks.start_soon(worker)
    return time.process_time() - began


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
    main()
