"""The last events of a product: `finished` with its identities, `settled` after the final check."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from .duplicates import retried_in
from .remaining import identities_after

if TYPE_CHECKING:
    from collections.abc import Container

    from ..checkpoint.events import Event
    from ..checkpoint.states import ProductLedger
    from ..model import StoredImage
    from ..plan.batch import ProductPlan
    from ..results import Failure


def finished(
    batch: ProductPlan,
    ledger: ProductLedger,
    failures: list[Failure],
    *,
    own: list[Failure] | None,
    listing: list[StoredImage] | None,
    lost_images: Container[int],
) -> Event:
    """Return the event that closes a product, and take over the identities that are newer than its plan.

    `own` are the fields of which the store keeps its own values, None if nothing was listed since the plan. `listing` is
    the gallery as the product was left, None if it was written to after that. `lost_images` were removed by others.
    """
    # Without any listing since, what was learned after the plan had been made is the best there is.
    batch.identities |= batch.newer_identities
    event: Event = {
        "event": "finished",
        "product_id": batch.product_id,
        "images": identities_after(batch, ledger, lost_images),
        "counts": ledger.counts(),
    }
    if listing:
        event["orders"] = [(image.image_id, image.sort_order) for image in listing]
    # The plan's word on the store's own values holds as long as nothing was listed since.
    skipped = [failure for failure in batch.skipped if failure.field is None or own is None]
    failures = failures + skipped + (own or [])
    if failures:
        event["failures"] = [asdict(failure) for failure in failures]
    return event


def settled(batch: ProductPlan, ledger: ProductLedger) -> Event:
    """Return the event after the final check; the next run looks for later duplicates of `resent`."""
    event: Event = {"event": "settled", "product_id": batch.product_id}
    resent = retried_in(batch, ledger)
    if resent:
        event["resent"] = resent
    return event
