"""Writer of manifests as JSON Lines or CSV, plain or gzipped, by the file's name. Pure.

Reading what it wrote returns the same products.
"""

from __future__ import annotations

import csv
import zlib
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = dict[str, Any]
    """An image: `image_file`, `description`, `sort_order`, `is_thumbnail`."""

_COLUMNS = ("image_file", "description", "sort_order", "is_thumbnail")
_LINES = ("", ".jsonl", ".ndjson", ".json")
NAMES = "NAME.jsonl, NAME.ndjson, NAME.json (JSON Lines) or NAME.csv, each also with .gz"


def fits(name: str) -> bool:
    """Return True if the name's extension tells a format that can be written."""
    return _ending(name) in {*_LINES, ".csv"}


def _ending(name: str) -> str:
    return PurePath(name.lower().removesuffix(".gz")).suffix


class Writer:
    """Bytes of a manifest, product by product, between `begin` and `end`.

    `without_text` counts images with an empty description, which CSV cannot express: an empty cell means "not managed".
    """

    def __init__(self, name: str) -> None:
        """`name` is a file name that `fits`, or empty for JSON Lines."""
        self.without_text = 0
        self._table = _ending(name) == ".csv"
        self._squeeze: Callable[[bytes], bytes] = bytes
        self._rest: Callable[[], bytes] = bytes
        if name.lower().endswith(".gz"):
            packer = zlib.compressobj(wbits=31)
            self._squeeze, self._rest = packer.compress, packer.flush
        self._head = _csv([("product_id", *_COLUMNS)]) if self._table else b""

    def begin(self) -> bytes:
        """Return the bytes before the first product."""
        return self._squeeze(self._head)

    def product(self, product_id: int, rows: list[Row]) -> bytes:
        """Return the bytes of one product, not yet compressed.

        Products are made in parallel and packed in order.
        """
        if not self._table:
            return tame(orjson.dumps({"product_id": product_id, "images": rows})) + b"\n"
        self.without_text += sum(not row["description"] for row in rows)
        return _csv([(product_id, *map(_cell, map(row.get, _COLUMNS))) for row in rows])

    def pack(self, product: bytes) -> bytes:
        """Return the bytes to append to the file.

        Empty while the compressor buffers them.
        """
        return self._squeeze(product)

    def end(self) -> bytes:
        """Return the bytes after the last product."""
        return self._rest()


class _Lines(list[str]):
    """A list with the `write` method that the CSV writer needs."""

    def write(self, line: str) -> None:
        self.append(line)


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _csv(rows: list[tuple[Any, ...]]) -> bytes:
    lines = _Lines()
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return "".join(lines).encode()


def tame(line: bytes) -> bytes:
    r"""Return the JSON with all characters that control a terminal as `\uXXXX`.

    These are C1, DEL, bidi and other format characters.
    """
    if line.isascii() and b"\x7f" not in line:
        return line  # JSON escapes all characters below the blank
    text = line.decode()
    if text.isprintable():
        return line
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text).encode()


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
