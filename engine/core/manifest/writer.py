"""A manifest written as its file's name asks: JSON Lines or CSV, whole or gzipped, so that reading it gives the same. Pure."""

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
    """Whether a file of that name can be written so that its name tells what it is."""
    return _ending(name) in {*_LINES, ".csv"}


def _ending(name: str) -> str:
    return PurePath(name.lower().removesuffix(".gz")).suffix


class Writer:
    """Makes the bytes of a manifest product by product; the first may have a header before them, `end` has what is left.

    `without_text` counts the images whose empty description a CSV can't express: there an empty cell means "left alone".
    """

    def __init__(self, name: str) -> None:
        """The name of a file that `fits`, or an empty one for JSON Lines."""
        self.without_text = 0
        self._table = _ending(name) == ".csv"
        self._squeeze: Callable[[bytes], bytes] = bytes
        self._rest: Callable[[], bytes] = bytes
        if name.lower().endswith(".gz"):
            packer = zlib.compressobj(wbits=31)
            self._squeeze, self._rest = packer.compress, packer.flush
        self._head = _csv([("product_id", *_COLUMNS)]) if self._table else b""

    def begin(self) -> bytes:
        """What stands before the first product."""
        return self._squeeze(self._head)

    def product(self, product_id: int, rows: list[Row]) -> bytes:
        """A product with its images, not yet packed: products are made ready side by side, and packed in order."""
        if not self._table:
            return tame(orjson.dumps({"product_id": product_id, "images": rows})) + b"\n"
        self.without_text += sum(not row["description"] for row in rows)
        return _csv([(product_id, *map(_cell, map(row.get, _COLUMNS))) for row in rows])

    def pack(self, product: bytes) -> bytes:
        """The bytes that the file grows by; none where the packing keeps them back."""
        return self._squeeze(product)

    def end(self) -> bytes:
        """What stands after the last product."""
        return self._rest()


class _Lines(list[str]):
    """What the CSV writer takes for a file."""

    def write(self, line: str) -> None:
        self.append(line)


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _csv(rows: list[tuple[Any, ...]]) -> bytes:
    lines = _Lines()
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return "".join(lines).encode()


def tame(line: bytes) -> bytes:
    r"""The same JSON with everything that a terminal might obey (C1, DEL, bidi and other format characters) as `\uXXXX`."""
    if line.isascii() and b"\x7f" not in line:
        return line  # what is below a blank is escaped in all JSON
    text = line.decode()
    if text.isprintable():
        return line
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text).encode()


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
