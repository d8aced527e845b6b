"""The lines of a checkpoint: their format, and streams of them in product order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from ...core.checkpoint.records import seal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..interface import Disk
    from ..sorter import ExternalSorter

FORMAT = 1


_PRODUCT = b'{"product_id":'


def _copy(disk: Disk, path: Path, to: Path, size: int | None = None) -> None:
    file = disk.create(to)
    try:
        for block in disk.chunks(path):
            file.write(block if size is None else block[:size])
            size = None if size is None else size - min(size, len(block))
    finally:
        file.close()


def _last_of_each(lessons: ExternalSorter) -> Iterator[tuple[int, bytes]]:
    held: tuple[int, bytes] | None = None
    for product_id, _, payload in lessons:
        if held is not None and held[0] != product_id:
            yield held
        held = (product_id, payload)
    if held is not None:
        yield held


def _memory_line(product_id: int, memory: bytes) -> Iterator[bytes]:
    images = orjson.loads(memory)
    if images:
        yield seal({"product_id": product_id, "images": images})
