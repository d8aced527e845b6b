"""How a line of checkpoint or journal proves that it is whole: JSON that a person can read, its CRC at the end."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson

from ..errors import CheckpointError

MARK = b',"crc":'


def seal(row: dict[str, Any]) -> bytes:
    """One line, newline included, that ends in the CRC-32 of all before it. The row must not be empty."""
    body = orjson.dumps(row)[:-1]
    return b"%b%b%d}\n" % (body, MARK, crc32(body))


def is_whole(line: bytes) -> bool:
    """Whether a line is as it was sealed, told without reading its JSON."""
    body, _, tail = line.rpartition(MARK)
    return tail == b"%d}\n" % crc32(body) and bool(body)


def unseal(line: bytes) -> dict[str, Any]:
    """The row back.

    Raises CheckpointError where the line is not as it was sealed.
    """
    if not is_whole(line):
        raise CheckpointError("the line is damaged: its CRC does not match")
    row = orjson.loads(line)
    row.pop("crc")
    return row  # type: ignore[no-any-return]  # a sealed line is an object
