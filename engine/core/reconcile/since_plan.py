"""A plan that is applied later: identities learned since it was made, and whether it still says the right thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..identities import with_listed_order

if TYPE_CHECKING:
    from ..checkpoint.states import ProductLedger
    from ..model import StoredImage
    from ..plan.batch import ProductPlan


def merge_newer_identities(batch: ProductPlan, present: list[StoredImage]) -> None:
    """Take over newer identities, except those of removed images where the plan's own image is there."""
    ids = {image.image_id for image in present}
    for source, pair in batch.newer_identities.items():
        if pair[0] in ids or batch.identities.get(source, (0,))[0] not in ids:
            batch.identities[source] = pair
    batch.newer_identities = {}


def is_outdated(batch: ProductPlan, present: list[StoredImage]) -> bool:
    """Return True if the plan creates an image that is there: an unconfirmed create was found since."""
    ids = {image.image_id for image in present}
    for create in batch.changes.creates:
        known_id = batch.identities.get(batch.product.images[create.row].image_file, (0,))[0]
        if known_id in ids and known_id != create.replaces:
            return True
    return False


def update_own_values(ledger: ProductLedger, present: list[StoredImage]) -> None:
    """Take the store's own values as a listing shows them: later writes may have moved a sort order."""
    by_id = {image.image_id: image for image in present}
    for image_id, own in ledger.own.items():
        ledger.own[image_id] = with_listed_order(own, by_id.get(image_id))
