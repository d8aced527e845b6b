"""A backup in the simulated world: where its pictures are fetched from, and what may become of it between two nights."""

from __future__ import annotations

import re
import zlib
from contextlib import asynccontextmanager
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

import anyio
import orjson

from imageferry.core.errors import LostError
from imageferry.jobs.sandbox.shop.pictures import made_up

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from imageferry.images.backup import Fetch

    from .network import Line
    from .platters import Platters
    from .process import Process

INDEX = "index.jsonl"
_NUMBER = re.compile(r"/images/(\d+)/")


@lru_cache
def _picture(number: int) -> bytes:
    return made_up(f"kept {number}")


class SimFetch:
    """The way to the pictures, as one process has it: down when the line is."""

    def __init__(self, line: Line, process: Process) -> None:
        self._line = line
        self._process = process

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Fetch]:
        """The replacement of the engine's HTTP session."""
        yield self

    async def __call__(self, url: str) -> bytes:
        self._process.alive()
        await anyio.sleep(0.02)
        self._process.alive()
        if self._line.is_down(self._process.loop.time()):
            raise LostError(f"{url}: the network is down")
        found = _NUMBER.search(url)
        return _picture(int(found[1]) % 20 if found else 0)


def harm(platters: Platters, kept: Path, way: str, seed: int) -> None:
    """Do one thing to a backup."""
    chance = Random(f"imageferry {seed} harm")
    pictures = sorted(path for path in platters.names if path.is_relative_to(kept) and path.name != INDEX)
    index = platters.names.get(kept / INDEX)
    if way == "damaged":
        for path in pictures:
            if chance.random() < 0.6:
                data = bytes(platters.names[path].data)
                platters.put(path, data[: int(len(data) * chance.random())])
    elif way == "lost":
        for path in pictures:
            if chance.random() < 0.6:
                platters.put(path, None)
    elif way == "torn" and index is not None:
        platters.put(kept / INDEX, bytes(index.data)[: int(len(index.data) * chance.random())])
    elif way == "another store's" and index is not None:
        platters.put(kept / INDEX, b"".join(_of_another_store(line) for line in bytes(index.data).splitlines()))


def _of_another_store(line: bytes) -> bytes:
    """An index line as a run for another store would have written it."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return b""
    row.pop("crc")
    body = orjson.dumps({**row, "store": "https://api.bigcommerce.com/stores/other"})[:-1]
    return b'%b,"crc":%d}\n' % (body, zlib.crc32(body))
