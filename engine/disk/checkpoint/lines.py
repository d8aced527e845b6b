"""The lines of a checkpoint: their format, and how old and new ones are merged in product order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from ...core.checkpoint.records import seal
from ...core.errors import CheckpointError
from ...core.identities import read_known_image
from ...core.masking import masked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...core.identities import IdentityMap
    from ..interface import Disk
    from ..sorter import ExternalSorter

FORMAT = 1
PRODUCT = b'{"product_id":'


def copy(disk: Disk, path: Path, to: Path, size: int | None = None) -> None:
    """Copy a file, or its first `size` bytes."""
    file = disk.create(to)
    try:
        for block in disk.chunks(path):
            file.write(block if size is None else block[:size])
            size = None if size is None else size - min(size, len(block))
    finally:
        file.close()


def read_identities(line: bytes, path: Path) -> tuple[int, IdentityMap]:
    """Read a product's line. Its seal is good; its shape is checked all the same, for a hand may have written it.

    Raises CheckpointError.
    """
    try:
        row = orjson.loads(line)
        return row["product_id"], {source: read_known_image(known) for source, known in row["images"].items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, AttributeError):
        raise _misshapen(line, path) from None


def merge(old: Iterator[bytes], learned: ExternalSorter, path: Path) -> Iterator[bytes]:
    """Yield old lines as they are, new ones where something was learned; both come in product order.

    Raises CheckpointError for a line of `path` that names no product.
    """
    fresh = _last_of_each(learned)
    following = next(fresh, None)
    for line in old:
        digits = line[len(PRODUCT) : line.find(b",")]
        if not digits.isdigit():
            raise _misshapen(line, path)
        product_id = int(digits)
        while following is not None and following[0] < product_id:
            yield from _memory_line(*following)
            following = next(fresh, None)
        if following is not None and following[0] == product_id:
            yield from _memory_line(*following)
            following = next(fresh, None)
        else:
            yield line
    while following is not None:
        yield from _memory_line(*following)
        following = next(fresh, None)


def _misshapen(line: bytes, path: Path) -> CheckpointError:
    shown = masked(line.decode("utf-8", "replace"))[:60]
    return CheckpointError(
        f"{path}: not a product's line: {shown!r}. It was left as it is: restore a copy, or move it away and start without it "
        "(images are then told by their names)."
    )


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
