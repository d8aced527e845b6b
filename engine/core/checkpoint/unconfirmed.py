"""Unconfirmed updates and deletes: what a fresh listing shows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model import StoredImage
    from .states import ProductLedger


def resolve_writes(course: ProductLedger, present: list[StoredImage]) -> list[tuple[bool, str, dict[str, list[int]]]]:
    """What a fresh listing shows of updates and deletes in doubt: (all of it shows, change, what else to note)."""
    by_id = {image.image_id: image for image in present}
    told: list[tuple[bool, str, dict[str, list[int]]]] = []
    for key, change in course.changes.items():
        if not change.unconfirmed or key.startswith("create:") or change.sent is None:
            continue
        verb, _, number = key.partition(":")
        if verb == "update":
            image = by_id.get(int(number))
            done = image is not None and all(getattr(image, k) == v for k, v in change.sent["fields"].items())
            told.append((done, key, {}))
        elif verb == "delete":
            told.append((int(number) not in by_id, key, {}))
        else:
            ids = change.sent["image_ids"]
            gone = [image_id for image_id in ids if image_id not in by_id]
            told.append((len(gone) == len(ids), key, {"image_ids": gone}))
    return told
