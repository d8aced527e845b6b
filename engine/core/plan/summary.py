"""The summary of a plan: counts over all products, and the calls that it will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..results import Report, images_in

if TYPE_CHECKING:
    from .batch import ProductPlan

PAGE = 250
"""The most images that a page holds (store-api.md section 0)."""


SURE_PAGE = 50
"""What a page holds at least, whatever the store makes of `limit`: the documented default."""


@dataclass(slots=True)
class Summary:
    """What a plan comes to. Images but for `products`, `missing` (products that are not there) and the calls.

    `relists` are the listings right before a product's first write, which only `apply` needs for every product;
    `known` and `lost` are the images that the ledger remembers, and those of them that the listing no longer shows.
    """

    products: int = 0
    wanted: int = 0
    unchanged: int = 0
    creates: int = 0
    updates: int = 0
    deletes: int = 0
    replaced: int = 0
    existing: int = 0
    changed_products: int = 0
    missing: int = 0
    failed: int = 0
    known: int = 0
    lost: int = 0
    delete_calls: int = 0
    looks: int = 0
    relists: int = 0
    bulk_relists: int = 0
    one_by_one: bool = False
    guessed: int = 0

    def add(self, batch: ProductPlan, lost: int = 0, known: int = 0) -> None:
        """Count one product in; `known` and `lost` are of its remembered images."""
        changes, images, present = batch.changes, len(batch.product.images), len(batch.present)
        self.products += 1
        self.wanted += images
        self.existing += present
        self.known += known
        self.lost += lost
        self.missing += batch.missing
        self.guessed += len(batch.guessed)
        self.failed += images_in(batch.failures + batch.skipped)
        own = {failure.image_id for failure in batch.skipped if failure.field is not None}
        own -= {update.image_id for update in changes.updates}
        changed = len(changes.creates) + len(changes.updates) + len(batch.failures) + len(own)
        self.unchanged += max(0, images - changed)
        if not changes:
            return
        self.changed_products += 1
        self.creates += len(changes.creates)
        self.updates += len(changes.updates)
        self.deletes += len(changes.deletes)
        self.replaced += sum(create.replaces is not None for create in changes.creates)
        at_once = batch.clears_gallery and not self.one_by_one
        self.delete_calls += bulk_calls(present) if at_once else len(changes.deletes)
        after = present + len(changes.creates) - len(changes.deletes)
        self.looks += (pages(after) if changes.recheck else 0) + (at_once and present > SURE_PAGE)
        self.relists += pages(present)
        self.bulk_relists += pages(present) if at_once else 0

    def add_unchanged(self, images: int, present: int, known: int, lost: int, guessed: int = 0) -> None:
        """Count in a product that is as asked already."""
        self.products += 1
        self.wanted += images
        self.unchanged += images
        self.existing += present
        self.known += known
        self.lost += lost
        self.guessed += guessed

    def tell(self, report: Report) -> None:
        """Put the manifest's size into a report."""
        report.products, report.wanted, report.unchanged = self.products, self.wanted, self.unchanged

    def writes(self) -> int:
        """Calls that change the store when nothing goes wrong."""
        return self.creates + self.updates + self.delete_calls

    def calls(self, *, relist: bool) -> int:
        """Calls that applying takes when nothing goes wrong, with the image count before and after it."""
        return 2 + self.writes() + self.looks + (self.relists if relist else self.bulk_relists)


def pages(images: int) -> int:
    """Listing calls for a product with so many images; a page of exactly 50 counts as full (store-api.md 8.12)."""
    return images // PAGE + 1 + (images % PAGE == SURE_PAGE)


def bulk_calls(images: int) -> int:
    """Delete-many calls for a gallery of so many images, a page each."""
    return -(-images // PAGE)
