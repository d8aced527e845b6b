"""JSON lines to wanted products, or to errors with line and field.

Pure; the hot path of planning.

A manifest is read twice: first checked as a whole before anything is sent, then built product by product. The check
builds no values and the build checks nothing, so each takes about three times as long as orjson alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ..errors import Fault
from ..model import Wanted, WantedProduct
from ..source_addresses import address
from .faults import explain, quotes
from .fields import MAX_FAULTS, MAX_IMAGES, MAX_PRODUCT_ID, MAX_URL, ImageFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .fields import CheckLocal

    Lines = Iterable[tuple[int, bytes]]
    Record = tuple[int, int, bytes]  # product id, line, payload without a line end
    ProductCount = tuple[int, int, int, int]  # product id, line, number of images, number of local files

_BACKSLASH, _DELETE, _QUOTE, _PERCENT, _HASH = ord("\\"), 0x7F, ord('"'), ord("%"), ord("#")


class JsonLines:
    """A JSON Lines manifest: one product per line.

    `CsvRows` has the same interface.

    Errors are appended to the given list; reading ends when it has `MAX_FAULTS`.
    """

    def __init__(self, faults: list[Fault], check_local: CheckLocal) -> None:
        self._faults = faults
        self._image_files = ImageFiles(check_local)

    def check(self, lines: Lines) -> Iterator[ProductCount]:
        """Yield the counts of each valid product in line order, without building it."""
        for number, line in lines:
            value = self._parse_valid(line)
            if value is not None:
                yield value["product_id"], number, len(value["images"]), self._image_files.uploads
            elif self._too_many_faults(line, number):
                return

    def to_records(self, lines: Lines) -> Iterator[Record]:
        """Yield the valid lines as records, to be sorted by product id and line."""
        for number, line in lines:
            value = self._parse_valid(line)
            if value is not None:
                yield value["product_id"], number, line.rstrip()
            elif self._too_many_faults(line, number):
                return

    def products(self, lines: Lines) -> Iterator[WantedProduct]:
        """Yield the products of checked lines."""
        for number, line in lines:
            if not line.isspace():
                yield build(line, number)

    def from_records(self, records: Iterable[Record]) -> Iterator[WantedProduct]:
        """Yield the products of sorted records."""
        for _, number, line in records:
            yield build(line, number)

    def _parse_valid(self, line: bytes) -> Any:
        """Return the parsed line if it is valid, else None.

        `explain` then finds the errors.
        """
        self._image_files.uploads = 0
        try:
            value = orjson.loads(line)
            product_id, images = value["product_id"], value["images"]
            if type(product_id) is not int or not 1 <= product_id <= MAX_PRODUCT_ID or len(value) != 2:
                return None
            if type(images) is not list or len(images) > MAX_IMAGES:
                return None
            # Without a backslash no string holds a control character, except DEL and those above ASCII.
            plain = _BACKSLASH not in line and _DELETE not in line and line.isascii()
            strings = self._strings(images, plain, not plain or _PERCENT in line or _HASH in line)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # not JSON, or another shape
        # orjson keeps the last of a repeated key; the line then has more quotes than the parsed value.
        if strings is not None and (line.count(b'"') == 2 * strings + 4 or quotes(line) == 2 * strings + 4):
            return value
        return None

    def _strings(self, images: list[Any], plain: bool, marked: bool) -> int | None:
        """Return the number of strings in the images, None if one is invalid.

        `plain`: ASCII without control characters and escapes. `marked`: there may be a `%` or a fragment.
        """
        thumbnails, last, rising, hosts = 0, "", True, self._image_files.hosts
        strings, respelled = 2 * len(images), False
        size = len(host := hosts[0] if hosts else "//")  # the most frequent host: comparing a slice takes half the time
        for image in images:
            image_file = image["image_file"]
            known = image_file[:size] == host or image_file.startswith(hosts)
            harmless = plain or (image_file.isascii() and image_file.isprintable())
            if not (known and harmless and len(image_file) <= MAX_URL):
                if self._image_files.fault(image_file) is not None:
                    return None
                respelled = respelled or not (known or self._image_files.is_spelled_once(image_file))
            if "/." in image_file or (marked and ("%" in image_file or "#" in image_file)):
                respelled = True
            if image_file <= last:
                rising = False
            last = image_file
            left = len(image) - 1
            strings += left
            if (text := image.get("description")) is not None:
                if type(text) is not str:
                    return None
                left -= 1
                strings += 1
            if (order := image.get("sort_order")) is not None:
                if type(order) is not int or not -0x8000_0000 <= order <= 0x7FFF_FFFF:
                    return None
                left -= 1
            if (flag := image.get("is_thumbnail")) is not None:
                if flag is True:
                    thumbnails += 1
                elif flag is not False:
                    return None
                left -= 1
            if left:
                # Only a version may be left; otherwise a field is null or unknown.
                if left != 1 or type(image.get("version")) is not str:
                    return None
                strings += 1
        # Ascending names are all different; only others need the set.
        return strings if thumbnails <= 1 and ((rising and not respelled) or _differ(images, respelled)) else None

    def _too_many_faults(self, line: bytes, number: int) -> bool:
        """Record the errors of the line; return True once `MAX_FAULTS` are recorded."""
        if not line.isspace():
            self._faults += explain(line, number, self._image_files) or [Fault(number, None, "is not understood")]
        return len(self._faults) >= MAX_FAULTS


def _differ(images: list[Any], respelled: bool) -> bool:
    """Return True if all sources are different, under every spelling."""
    sources = {image["image_file"] for image in images}
    return len(set(map(address, sources)) if respelled else sources) == len(images)


def build(line: bytes, number: int) -> WantedProduct:
    """Return the product of a checked line."""
    value = orjson.loads(line)
    return WantedProduct(
        value["product_id"],
        [
            Wanted(
                image["image_file"],
                image.get("description"),
                image.get("sort_order"),
                image.get("is_thumbnail"),
                image.get("version"),
                number,
            )
            for image in value["images"]
        ],
        number,
    )
