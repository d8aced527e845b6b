"""The plan as a value: a batch a product, a summary that can be priced, and the lines both are kept as.

A plan file is JSON Lines: a header (what for), a line a product in product order, and the summary last, which carries
the digest of all before it. Without its summary the file is the journal of a listing that was interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..diff.renumbering import RenumberingModel
from ..identities import IdentityMap, own_value_note
from ..results import Failure

if TYPE_CHECKING:
    from ..diff.changes import Changes, Difference
    from ..model import StoredImage, WantedProduct


@dataclass(slots=True)
class Header:
    """What a plan is for: the mode (sync, migrate, undo), the store, the manifest and the checkpoint it was made with.

    `resumable` is a run's own, whose listing may be gone on with where it was interrupted. The copy that `apply` takes of
    a person's plan is young on disk, however old its listing is. `retry_of` is when all products were listed, in a plan
    that lists no more than those that failed since; 0 where this plan lists all. `delete_many`: the store takes that call,
    as far as was known.
    """

    mode: str
    store: str
    manifest: str
    digest: str
    files: str
    checkpoint: str
    selection: str
    made_at: float
    reading: RenumberingModel = field(default_factory=RenumberingModel)
    resumable: bool = False
    retry_of: float = 0.0
    delete_many: bool = True

    @property
    def listed_at(self) -> float:
        """When the oldest listing in this plan began."""
        return self.retry_of or self.made_at

    @property
    def delete_extra(self) -> bool:
        """Whether the plan may delete."""
        return self.mode != "migrate"

    def fits(self, other: Header) -> bool:
        """Whether a plan begun under `other` may be gone on with under this."""
        return self.resumable and self._what_for() == other._what_for()

    def _what_for(self) -> tuple[object, ...]:
        return self.mode, self.store, self.digest, self.selection, self.reading, self.retry_of


@dataclass(slots=True)
class ProductPlan:
    """One product's part of the plan: the unit of order, of concurrency and of resuming.

    `failures` hold the product's deletes back; what is `left_alone` (undo; a field of which the store keeps another value
    than asked for) is told and holds nothing back, `losses` (undo) are sentences about what can't come back as it was.
    `since` is what was remembered after the plan had been made; it is no part of the plan. `guessed`: source -> image id,
    where one of several images of a name was taken that the fields don't tell apart.
    """

    product: WantedProduct
    present: list[StoredImage]
    changes: Changes
    identities: IdentityMap
    failures: list[Failure] = field(default_factory=list)
    missing: bool = False
    by_name: bool = True
    skipped: list[Failure] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    newer_identities: IdentityMap = field(default_factory=dict)
    guessed: dict[str, int] = field(default_factory=dict)

    @property
    def product_id(self) -> int:
        """The product that this batch changes."""
        return self.product.product_id

    @property
    def clears_gallery(self) -> bool:
        """Whether one delete-many call takes all of the gallery: only for `"images": []`, and for two or more."""
        return not self.product.images and len(self.present) > 1 and len(self.changes.deletes) == len(self.present)


def product_plan(
    product: WantedProduct, present: list[StoredImage], found: Difference, failures: list[Failure]
) -> ProductPlan:
    """A batch from what the diff found; what stays as the store made it is told, and holds nothing back."""
    left_alone = own_failures(product, found)
    guessed = guesses(product, found)
    return ProductPlan(product, present, found.changes, found.identities, failures, skipped=left_alone, guessed=guessed)


def own_failures(product: WantedProduct, found: Difference) -> list[Failure]:
    """The fields of which the store keeps other values than asked for: each a failure of its image."""
    told = []
    for row, kept in found.own.items():
        image = product.images[row]
        told += [
            Failure(
                product.product_id,
                image.image_file,
                found.matches[row],
                image.line,
                name,
                None,
                own_value_note(name, *pair),
            )
            for name, pair in kept.items()
        ]
    return told


def guesses(product: WantedProduct, found: Difference) -> dict[str, int]:
    """The pairs of a difference that were guessed: source -> image id."""
    return {product.images[row].image_file: found.matches[row] for row in found.guessed if row in found.matches}
