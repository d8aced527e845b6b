"""Lines of JSON to wanted products, or to faults that name line and field. Pure; the hot path of planning.

A manifest is read twice: judged whole before anything is sent, then built product by product. Judging makes no values and
building asks no questions, so that each costs about three times what orjson alone takes. `manifest_rows` is the same for CSV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from .errors import Fault
from .manifest_faults import explain, repeated_key
from .manifest_fields import INT32_MAX, INT32_MIN, MAX_FAULTS, MAX_IMAGES, MAX_PRODUCT_ID, MAX_URL, ImageFiles
from .model import Wanted, WantedProduct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .manifest_fields import Look

    Lines = Iterable[tuple[int, bytes]]
    Record = tuple[int, int, bytes]  # product id, line, payload without a line end
    Sight = tuple[int, int, int, int]  # product id, line, how many images, how many of them local pictures

_BACKSLASH, _DELETE, _BRACKET = ord("\\"), 0x7F, ord("[")


class JsonLines:
    """A product a line. `Table` offers the same for CSV.

    Faults go to the list that is handed in; reading ends once there are as many as are reported.
    """

    def __init__(self, faults: list[Fault], look: Look) -> None:
        self._faults = faults
        self._image_files = ImageFiles(look)

    def judge(self, lines: Lines) -> Iterator[Sight]:
        """Yield the good products in the order of the lines, counted but not built."""
        for number, line in lines:
            value = self._usual(line)
            if value is not None:
                yield value["product_id"], number, len(value["images"]), self._image_files.uploads
            elif self._end_of_patience(line, number):
                return

    def records(self, lines: Lines) -> Iterator[Record]:
        """Yield the good parts, to be sorted by product id and line."""
        for number, line in lines:
            value = self._usual(line)
            if value is not None:
                yield value["product_id"], number, line.rstrip()
            elif self._end_of_patience(line, number):
                return

    def products(self, lines: Lines) -> Iterator[WantedProduct]:
        """Yield the products of lines that were judged good."""
        for number, line in lines:
            if not line.isspace():
                yield build(line, number)

    def restored(self, records: Iterable[Record]) -> Iterator[WantedProduct]:
        """Yield the products of sorted records."""
        for _, number, line in records:
            yield build(line, number)

    def _usual(self, line: bytes) -> Any:
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
            if not self._all_well(images, _BACKSLASH not in line and _DELETE not in line):
                return None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # not JSON, or not of this shape at all
        # Only a line with a second bracket can hold "images" twice, and so empty a gallery that its first half fills.
        return value if line.find(_BRACKET, line.find(_BRACKET) + 1) < 0 or not repeated_key(line) else None

    def _all_well(self, images: list[Any], plain: bool) -> bool:
        thumbnails, last, rising, hosts = 0, "", True, self._image_files.hosts
        for image in images:
            image_file = image["image_file"]
            plainly = plain and image_file.isascii() and len(image_file) <= MAX_URL and image_file.startswith(hosts)
            if not plainly and self._image_files.fault(image_file) is not None:
                return False
            if image_file <= last:
                rising = False
            last = image_file
            left = len(image) - 1
            if (text := image.get("description")) is not None:
                if type(text) is not str:
                    return False
                left -= 1
            if (order := image.get("sort_order")) is not None:
                if type(order) is not int or not INT32_MIN <= order <= INT32_MAX:
                    return False
                left -= 1
            if (flag := image.get("is_thumbnail")) is not None:
                if flag is True:
                    thumbnails += 1
                elif flag is not False:
                    return False
                left -= 1
            # What is left can only be a version; of a null or an unknown field something stays over.
            if left and (left != 1 or type(image.get("version")) is not str):
                return False
        # Names that ascend are all different; only others need the set.
        return thumbnails <= 1 and (rising or len({image["image_file"] for image in images}) == len(images))

    def _end_of_patience(self, line: bytes, number: int) -> bool:
        """Take down what is wrong with the line; true once there are as many faults as are reported."""
        if not line.isspace():
            self._faults += explain(line, number, self._image_files) or [Fault(number, None, "is not understood")]
        return len(self._faults) >= MAX_FAULTS


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
