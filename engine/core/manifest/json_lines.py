"""Lines of JSON to wanted products, or to faults that name line and field. Pure; the hot path of planning.

A manifest is read twice: judged whole before anything is sent, then built product by product. Judging makes no values and
building asks no questions, so that each costs about three times what orjson alone takes. `manifest_rows` is the same for CSV.
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

    from .fields import Look

    Lines = Iterable[tuple[int, bytes]]
    Record = tuple[int, int, bytes]  # product id, line, payload without a line end
    Sight = tuple[int, int, int, int]  # product id, line, how many images, how many of them local pictures

_BACKSLASH, _DELETE, _QUOTE, _PERCENT, _HASH = ord("\\"), 0x7F, ord('"'), ord("%"), ord("#")


class JsonLines:
    """A product a line. `CsvRows` offers the same for CSV.

    Faults go to the list that is handed in; reading ends once there are as many as are reported.
    """

    def __init__(self, faults: list[Fault], look: Look) -> None:
        self._faults = faults
        self._image_files = ImageFiles(look)

    def check(self, lines: Lines) -> Iterator[Sight]:
        """Yield the good products in the order of the lines, counted but not built."""
        for number, line in lines:
            value = self._parse_valid(line)
            if value is not None:
                yield value["product_id"], number, len(value["images"]), self._image_files.uploads
            elif self._too_many_faults(line, number):
                return

    def to_records(self, lines: Lines) -> Iterator[Record]:
        """Yield the good parts, to be sorted by product id and line."""
        for number, line in lines:
            value = self._parse_valid(line)
            if value is not None:
                yield value["product_id"], number, line.rstrip()
            elif self._too_many_faults(line, number):
                return

    def products(self, lines: Lines) -> Iterator[WantedProduct]:
        """Yield the products of lines that were judged good."""
        for number, line in lines:
            if not line.isspace():
                yield build(line, number)

    def from_records(self, records: Iterable[Record]) -> Iterator[WantedProduct]:
        """Yield the products of sorted records."""
        for _, number, line in records:
            yield build(line, number)

    def _parse_valid(self, line: bytes) -> Any:
        """Return the parsed line if all is well with it, else None. Written for speed: `explain` finds the words."""
        self._image_files.uploads = 0
        try:
            value = orjson.loads(line)
            product_id, images = value["product_id"], value["images"]
            if type(product_id) is not int or not 1 <= product_id <= MAX_PRODUCT_ID or len(value) != 2:
                return None
            if type(images) is not list or len(images) > MAX_IMAGES:
                return None
            # Without a backslash no string of the line holds a control character, save DEL and those above ASCII.
            plain = _BACKSLASH not in line and _DELETE not in line and line.isascii()
            strings = self._strings(images, plain, not plain or _PERCENT in line or _HASH in line)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # not JSON, or not of this shape at all
        # orjson keeps the last of a key that stands twice; then the line has more quotes than what is left of it.
        if strings is not None and (line.count(b'"') == 2 * strings + 4 or quotes(line) == 2 * strings + 4):
            return value
        return None

    def _strings(self, images: list[Any], plain: bool, marked: bool) -> int | None:
        """How many strings the images hold, names of fields included; None if anything is wrong with them.

        `plain`: ASCII without control characters and escapes; `marked`: there may be an encoded letter or a fragment.
        """
        thumbnails, last, rising, hosts = 0, "", True, self._image_files.hosts
        strings, respelled = 2 * len(images), False
        size = len(host := hosts[0] if hosts else "//")  # that of nearly all: a slice is compared in half the time
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
                # What is left can only be a version; of a null or an unknown field something stays over.
                if left != 1 or type(image.get("version")) is not str:
                    return None
                strings += 1
        # Names that ascend are all different; only others need the set.
        return strings if thumbnails <= 1 and ((rising and not respelled) or _differ(images, respelled)) else None

    def _too_many_faults(self, line: bytes, number: int) -> bool:
        """Take down what is wrong with the line; true once there are as many faults as are reported."""
        if not line.isspace():
            self._faults += explain(line, number, self._image_files) or [Fault(number, None, "is not understood")]
        return len(self._faults) >= MAX_FAULTS


def _differ(images: list[Any], respelled: bool) -> bool:
    """Whether no two images have the same source, however it is written."""
    sources = {image["image_file"] for image in images}
    return len(set(map(address, sources)) if respelled else sources) == len(images)


def build(line: bytes, number: int) -> WantedProduct:
    """Make the product of a line that was judged good."""
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
