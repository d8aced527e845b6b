"""Failures as the report lists them: of a row, an image, a product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MissingError, StoreError
from ..identities import short
from ..image_files import GONE
from ..results import Failure

if TYPE_CHECKING:
    from ..checkpoint.states import ProductLedger
    from ..diff.changes import Update
    from ..model import StoredImage
    from .batch import ProductPlan

NO_SUCH_PRODUCT = "the store has no such product"
"""Why each image of a product fails that answers 404."""


def failure_row(batch: ProductPlan, failure: Failure) -> int:
    """The manifest row that a failure speaks of, -1 where it speaks of none."""
    for row, image in enumerate(batch.product.images):
        if image.image_file == failure.image_file:
            return row
    return -1


def row_failure(batch: ProductPlan, row: int, reason: str, status: int | None = None) -> Failure:
    """A failure that names an image of the manifest; in an undo, one that stands in the store by its id."""
    image = batch.product.images[row]
    if image.image_file.startswith(GONE):
        return Failure(
            batch.product_id, None, int(image.image_file[len(GONE) :]), image.line, None, status or None, reason
        )
    return Failure(batch.product_id, image.image_file, None, image.line, None, status or None, reason)


def field_failures(batch: ProductPlan, course: ProductLedger, update: Update, said: str = "") -> list[Failure]:
    """What an update would change, field by field: the value that the store has, and the value asked for."""
    told = []
    for name, value in update.fields.items():
        reason = f"{said}{name} is {short(update.before[name])}, not {short(value)}"
        row = course.made.get(update.image_id)
        failure = image_failure(batch, update.image_id, reason) if row is None else row_failure(batch, row, reason)
        failure.image_id, failure.field = update.image_id, name
        told.append(failure)
    return told


def image_failure(batch: ProductPlan, image_id: int | None, reason: str, status: int | None = None) -> Failure:
    """A failure that names an image in the store, and its source where it is known."""
    source = next((s for s, pair in batch.identities.items() if pair[0] == image_id and not s.startswith(GONE)), None)
    return Failure(batch.product_id, source, image_id, batch.product.line, None, status or None, reason)


def product_failures(batch: ProductPlan, reason: str, status: int | None = None) -> list[Failure]:
    """Every image of the product fails, or the product itself if it has none (contract, Exit codes)."""
    if not batch.product.images:
        return [image_failure(batch, None, reason, status)]
    return [row_failure(batch, row, reason, status) for row in range(len(batch.product.images))]


def listing_reason(error: StoreError) -> str:
    """Why a product can't be listed."""
    if isinstance(error, MissingError):
        return NO_SUCH_PRODUCT
    return f"it can't be listed: {error.reason}"


def unmanaged_image(batch: ProductPlan, image: StoredImage) -> Failure:
    """An image that somebody added where all were to go."""
    reason = "this image was not there when the plan was made; it was left alone. The next sync decides"
    return image_failure(batch, image.image_id, reason)


def duplicate_image(batch: ProductPlan, row: int, image: StoredImage) -> Failure:
    """An image that may be the late second one of a create that was sent again, or a person's."""
    reason = "a second image of this name appeared after its create was sent again; it was left alone"
    failure = row_failure(batch, row, reason)
    failure.image_id = image.image_id
    return failure


def unexplained_image(batch: ProductPlan, image: StoredImage) -> Failure:
    """An image under another name, in a product of which a create was given up."""
    reason = (
        "it appeared while a create of this product was in doubt, and bears another name: it may be that create's image "
        "or somebody else's; it was left alone"
    )
    return image_failure(batch, image.image_id, reason)
