"""CSV rows to wanted products, or to errors with line and column.

Pure.

Same interface as `json_lines`, for one image per row.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import orjson

from ..errors import Fault
from ..image_files import source_kind
from ..model import Wanted, WantedProduct
from ..source_addresses import address
from ..text import printable, quoted
from .faults import echo
from .fields import FIELDS, MAX_FAULTS, MAX_IMAGES, MAX_LINE, RULES, ImageFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .fields import CheckLocal
    from .json_lines import Lines, ProductCount, Record

    Row = tuple[int, int, Wanted | None]  # product id, line, its image; None: the product has no images

COLUMNS = ("product_id", *FIELDS)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_LONGEST_NUMBER = 20  # characters; a longer number is out of range, and slow to convert


class CsvRows:
    """A CSV manifest: a header, then one image per row."""

    def __init__(self, faults: list[Fault], check_local: CheckLocal) -> None:
        self._faults = faults
        self._image_files = ImageFiles(check_local)

    def check(self, lines: Lines) -> Iterator[ProductCount]:
        """Yield the counts of each valid product; see `JsonLines.check`."""
        for product in self.products(lines):
            uploads = sum(source_kind(image.image_file) == "file" for image in product.images)
            yield product.product_id, product.line or 0, len(product.images), uploads

    def to_records(self, lines: Lines) -> Iterator[Record]:
        """Yield records to sort by product id and line; see `JsonLines.to_records`."""
        for product_id, line, image in self._rows(lines):
            cells = image and (image.image_file, image.description, image.sort_order, image.is_thumbnail, image.version)
            yield product_id, line, orjson.dumps(cells)

    def products(self, lines: Lines) -> Iterator[WantedProduct]:
        """Yield the products of checked rows; see `JsonLines.products`."""
        return self._gathered(self._rows(lines))

    def from_records(self, records: Iterable[Record]) -> Iterator[WantedProduct]:
        """Yield the products of sorted records; see `JsonLines.from_records`."""
        return self._gathered(map(_unpacked, records))

    def _rows(self, lines: Lines) -> Iterator[Row]:
        text = _Text(lines, self._faults)
        reader = csv.reader(text, strict=True)
        columns: list[str] = []
        while len(self._faults) < MAX_FAULTS:
            text.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._fault(text.first, None, f"not CSV: {error}")
                continue
            if not "".join(cells).strip():
                continue
            if columns:
                row = self._row(columns, cells, text)
                if row is not None:
                    yield row
            elif not (columns := self._header(cells, text.first)):
                return

    def _header(self, cells: list[str], line: int) -> list[str]:
        columns = [cell.strip().lower() for cell in cells]
        while columns and not columns[-1]:
            columns.pop()  # empty columns that a spreadsheet appends
        before = len(self._faults)
        for at, name in enumerate(columns[:MAX_FAULTS]):
            if name not in COLUMNS:
                self._fault(line, printable(name, 40), f"unknown column: a header names {', '.join(COLUMNS)}")
            elif name in columns[:at]:
                self._fault(line, name, "this column is in the header twice")
        for name in ("product_id", "image_file"):
            if name not in columns:
                self._fault(line, name, "this column is missing from the header")
        return columns if len(self._faults) == before else []

    def _row(self, columns: list[str], cells: list[str], text: _Text) -> Row | None:
        given = {name: _value(name, cell) for name, cell in zip(columns, cells, strict=False) if cell}
        faults = list(self._row_faults(given))
        if any(cells[len(columns) :]):
            faults.append((None, f"this row has {len(cells)} cells, the header {len(columns)}"))
        if text.truncated and len(cells) < len(columns):
            faults.append((None, "the input ends in the middle of this row"))
        product_id = given.pop("product_id", None)
        if not faults:
            return product_id, text.first, Wanted(**given, line=text.first) if given else None
        if RULES["product_id"](product_id) is not None:
            product_id = None
        for field, reason in faults:
            self._fault(text.first, field, reason, product_id, echo(given.get("image_file")))
        return None

    def _row_faults(self, given: dict[str, Any]) -> Iterator[tuple[str | None, str]]:
        if "product_id" not in given:
            yield "product_id", "is missing"
        if "image_file" not in given and given.keys() - {"product_id"}:
            yield "image_file", "is missing"
        for name, value in given.items():
            reason = self._image_files.fault(value) if name == "image_file" else RULES[name](value)
            if reason is not None:
                yield name, reason

    def _gathered(self, rows: Iterable[Row]) -> Iterator[WantedProduct]:
        """Join adjacent rows of one product."""
        gallery: _Gallery | None = None
        for product_id, line, image in rows:
            if gallery is None or gallery.product.product_id != product_id:
                if gallery is not None:
                    yield gallery.product
                gallery = _Gallery(WantedProduct(product_id, [], line))
            once = image is not None and self._image_files.is_spelled_once(image.image_file)
            refused = gallery.refusal(line, image, once=once)
            if refused is not None:
                self._fault(line, *refused, product_id, None if image is None else echo(image.image_file))
        if gallery is not None:
            yield gallery.product

    def _fault(
        self, line: int, field: str | None, reason: str, product: int | None = None, image: str | None = None
    ) -> None:
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Fault(line, field, reason, product, image))


class _Text:
    """Decoded lines for the CSV reader, with the number of the line on which a row began."""

    def __init__(self, lines: Lines, faults: list[Fault]) -> None:
        self._lines = iter(lines)
        self._faults = faults
        self.begin()
        self.truncated = False  # the last line has no line end

    def begin(self) -> None:
        """Start a new row with the next line."""
        self.first = 0
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        self.first = self.first or number
        self.truncated = not line.endswith((b"\n", b"\r"))
        self._size += len(line)
        if self._size > MAX_LINE:
            raise csv.Error(f"a row of more than {MAX_LINE:,} bytes (is a closing quote missing?)")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            reason = f"not UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}"
            self._faults.append(Fault(number, None, reason))
            return line.decode(errors="replace")


class _Gallery:
    """A product while its rows are read, with the checks that need several rows."""

    def __init__(self, product: WantedProduct) -> None:
        self.product = product
        self._lines: dict[str, int] = {}  # image_file -> the row that has it
        self._thumbnail: int | None = None
        self._rows = 0
        self._empty_row: int | None = None  # the row without an image

    def refusal(self, line: int, image: Wanted | None, *, once: bool) -> tuple[str, str] | None:
        """Add one row.

        Return column and reason if it contradicts the rows before it.

        `once` is true if its source has only one spelling.
        """
        self._rows += 1
        if image is None:
            self._empty_row = self._empty_row or line
        if self._rows > 1 and self._empty_row is not None:
            return (
                "product_id",
                f"the row on line {self._empty_row} says that this product has no images: it must be its only row",
            )
        if image is None:
            return None
        if self._rows > MAX_IMAGES:
            reason = f"product {self.product.product_id} has more than {MAX_IMAGES:,} images"
            return ("product_id", reason) if self._rows == MAX_IMAGES + 1 else None
        self.product.images.append(image)
        other = self._lines.setdefault(image.image_file if once else address(image.image_file), line)
        if other != line:
            return "image_file", self._same_source(image.image_file, other)
        if image.is_thumbnail:
            if self._thumbnail is not None:
                return (
                    "is_thumbnail",
                    f"product {self.product.product_id} has its thumbnail on line {self._thumbnail} already",
                )
            self._thumbnail = line
        return None

    def _same_source(self, image_file: str, line: int) -> str:
        reason = f"product {self.product.product_id} has {quoted(image_file)} on line {line} already"
        spelled = next(image.image_file for image in self.product.images if image.line == line)
        return reason if spelled == image_file else f"{reason}, written in another way: {quoted(spelled)}"


def _unpacked(record: Record) -> Row:
    product_id, line, payload = record
    cells = orjson.loads(payload)
    if cells is None:
        return product_id, line, None
    image_file, description, sort_order, is_thumbnail, version = cells
    return product_id, line, Wanted(image_file, description, sort_order, is_thumbnail, version, line)


def _value(name: str, cell: str) -> Any:
    """Convert a cell to its column's type.

    An invalid one stays text for the rule to report.
    """
    if name == "is_thumbnail":
        return _FLAGS.get(cell.strip().lower(), cell)
    if name in {"product_id", "sort_order"}:
        number = cell.strip()
        digits = number.removeprefix("-")
        if name == "product_id" and len(digits) > 1 and digits.startswith("0"):
            return cell  # 007 is no product id; the rule suggests a SKU
        if len(number) <= _LONGEST_NUMBER and number.isascii() and digits.isdigit():
            return int(number)
    return cell
