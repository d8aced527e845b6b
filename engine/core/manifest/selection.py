"""Selection of a manifest's products, and checks across products.

Order, duplicates, missing ones. Pure.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Fault
from .fields import MAX_FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model import WantedProduct
    from .json_lines import ProductCount


@dataclass(slots=True, frozen=True)
class Selection:
    """A part of a manifest.

    Products in `only`, the first `limit` of them in manifest order.
    """

    only: frozenset[int] | None = None
    limit: int | None = None

    def includes(self, product_id: int) -> bool:
        """Return True if `only` includes the product."""
        return self.only is None or product_id in self.only

    def last_line(self, counts: Iterable[ProductCount]) -> int | None:
        """Return the line of the last product within `limit`, for products in any line order.

        None without a limit.
        """
        if self.limit is None:
            return None
        # An array needs 8 MB for a million lines.
        lines = sorted(array("Q", (line for product_id, line, _, _ in counts if self.includes(product_id))))[
            : self.limit
        ]
        return lines[-1] if lines else 0

    def filter(
        self, products: Iterable[WantedProduct], last_line: int | None, *, sorted_lines: bool
    ) -> Iterator[WantedProduct]:
        """Yield the selected products that begin on or before `last_line`.

        With `sorted_lines` nothing is read beyond it.
        """
        for product in products:
            if last_line is not None and product.line is not None and product.line > last_line:
                if sorted_lines:
                    return
            elif self.includes(product.product_id):
                yield product


class ProductCounter:
    """Counts the selected products, and finds unsorted and repeated ones."""

    def __init__(self, selection: Selection, faults: list[Fault], last_line: int | None = None) -> None:
        self.products = self.images = self.uploads = 0
        self.last_line = (
            0 if selection.limit == 0 else last_line
        )  # last line on which a selected product may begin; None: any
        self._selection = selection
        self._faults = faults
        self._named = False
        self._absent = set(selection.only or ())

    def count_sorted(self, counts: Iterable[ProductCount]) -> bool:
        """Count all products.

        Return False, with the counts void, at the first unsorted one.
        """
        last_id = last_line = 0
        whole = self._selection.only is None and self._selection.limit is None and self.last_line is None
        products, all_images, all_uploads = 0, 0, 0
        for product_id, line, images, uploads in counts:
            if product_id <= last_id:
                if product_id < last_id:
                    return False
                self._duplicate(product_id, line, last_line)
                continue
            last_id, last_line = product_id, line
            if whole:  # the fast path: no call per product
                products += 1
                all_images += images
                all_uploads += uploads
            elif self._selection.includes(product_id):
                self._take(product_id, line, images, uploads)
        self.products += products
        self.images += all_images
        self.uploads += all_uploads
        self._named = last_id > 0
        return True

    def finish(self) -> None:
        """Record an error for each missing product of `only`, and for an empty manifest."""
        if self._faults:
            return  # a missing product may be on an invalid line
        if not self._named:
            self._faults.append(Fault(None, None, "contains no products"))
        for product_id in sorted(self._absent)[:MAX_FAULTS]:
            reason = f"--only: product {product_id} is not in this manifest"
            self._faults.append(Fault(None, None, reason, product_id))

    def _take(self, product_id: int, line: int, images: int, uploads: int) -> None:
        self._absent.discard(product_id)
        if self.last_line is not None and line > self.last_line:
            return
        self.products += 1
        self.images += images
        self.uploads += uploads
        if self.products == self._selection.limit and self.last_line is None:
            self.last_line = line

    def _duplicate(self, product_id: int, line: int, first: int) -> None:
        if len(self._faults) < MAX_FAULTS:
            reason = f"product {product_id} is on line {first} already"
            self._faults.append(Fault(line, "product_id", reason, product_id))
