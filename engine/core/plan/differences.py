"""A plan read as a judgement: whatever it would change is a difference between store and manifest, told image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checkpoint.states import ProductLedger
from .failures import field_failures, image_failure, row_failure

if TYPE_CHECKING:
    from ..results import Failure
    from .batch import ProductPlan


def differences(batch: ProductPlan) -> list[Failure]:
    """Every difference of one product: an image that is missing, one that differs in a field, one too many."""
    told = batch.failures + batch.skipped
    told += [
        row_failure(
            batch, create.row, "the store does not have it" if create.replaces is None else "its bytes are outdated"
        )
        for create in batch.changes.creates
    ]
    for update in batch.changes.updates:
        told += field_failures(batch, ProductLedger(), update)
    replaced = {create.replaces for create in batch.changes.creates}
    for image in batch.present:
        if image.image_id in batch.changes.deletes and image.image_id not in replaced:
            failure = image_failure(batch, image.image_id, f"the manifest does not name it ({image.image_file[:100]})")
            told.append(failure)
    return told
