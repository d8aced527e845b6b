"""Listings that may be older than the prior run's writes: finds the images that need a GET of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..checkpoint.states import ProductLedger
    from ..diff.changes import Difference
    from ..model import StoredImage

_MOVING = frozenset({"sort_order", "is_thumbnail"})


def to_confirm(found: Difference, known: set[int], former: ProductLedger | None) -> set[int]:
    """Return the ids of images to be written, or matched for the first time, that the prior run may have changed.

    `known` are the ids that are remembered; `former` is what that run did in this product, None where nobody knows.
    """
    changes = found.changes
    puts = {update.image_id for update in changes.updates}
    puts |= {create.replaces for create in changes.creates if create.replaces is not None}
    there = set(changes.deletes) | (set(found.matches.values()) - known)
    if former is None:
        return puts | there
    # A create, a delete, an order or a thumbnail may have changed its siblings, too.
    moving = former.made or former.deleted or any(_MOVING & fields for fields in former.written.values())
    return (puts if moving else puts & former.written.keys()) | (there & former.deleted)


def hides(former: ProductLedger, present: list[StoredImage]) -> bool:
    """Return True if a listing lacks something that the prior run did: it may be older than that."""
    listed = {image.image_id: image for image in present}
    if (former.made.keys() - former.deleted - listed.keys()) or (former.deleted & listed.keys()):
        return True
    for image_id in former.written.keys() & listed.keys():
        change = former.changes.get(f"update:{image_id}")
        sent = (change.sent if change is not None else None) or {}
        own, before = former.own.get(image_id, {}), sent.get("before") or {}
        for name, value in sent.get("fields", {}).items():
            now = own[name][1] if name in own else value
            if name in before and getattr(listed[image_id], name) == before[name] != now:
                return True
    return False
