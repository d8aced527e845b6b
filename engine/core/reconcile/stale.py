"""Listings that contradict a confirmed write, and must be read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .remaining import _moves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..checkpoint.states import ProductLedger
    from ..model import StoredImage


@dataclass(slots=True)
class Written:
    """One confirmed create or update: the sent fields, with the values in the answer.

    `own_order`: the order that it answered is not the one that it was sent.
    """

    image_id: int
    description: str | None = None
    sort_order: int | None = None
    is_thumbnail: bool | None = None
    own_order: bool = False


def contradicts(
    course: ProductLedger, present: list[StoredImage], written: list[Written], before: Iterable[StoredImage]
) -> bool:
    """Return True if a listing contradicts a confirmed write: then it lags.

    It lacks an image that was made, shows one that was deleted, or does not show what was `written` in this round where
    nothing written after it could have changed that. Nor does it where a sort order was written and all is as `before`
    the round: the order that an image has already is only written to move others. A store that answers that it has left
    the order as it was is believed.
    """
    by_id = {image.image_id: image for image in present}
    former = {image.image_id: image for image in before}
    if any(image_id not in by_id and image_id not in course.deleted for image_id in course.made):
        return True
    if any(image_id in by_id for image_id in course.deleted):
        return True
    if any(_moves(write, former) for write in written) and _looks(present) == _looks(former.values()):
        return True
    return any(
        (image := by_id.get(write.image_id)) is not None and _hides(image, write, written[index + 1 :])
        for index, write in enumerate(written)
    )


def _looks(gallery: Iterable[StoredImage]) -> set[tuple[int, str, int, bool]]:
    return {(image.image_id, image.description, image.sort_order, image.is_thumbnail) for image in gallery}


def _hides(image: StoredImage, write: Written, later: list[Written]) -> bool:
    """Return True if an image does not show a write that no later write can have changed."""
    if any(other.image_id == write.image_id for other in later):
        return False
    if write.description is not None and image.description != write.description:
        return True
    flag = write.is_thumbnail
    if flag is not None and image.is_thumbnail is not flag and not any(other.is_thumbnail for other in later):
        return True
    order = write.sort_order
    if order is None or any(other.sort_order is not None and other.sort_order <= order for other in later):
        return False
    return image.sort_order != order


def witnesses(present: list[StoredImage], written: list[Written], before: Iterable[StoredImage]) -> set[int]:
    """Return the images that show by a GET if a listing is older than this round's sort orders.

    One that does not show its own order may have been moved by a later write, or not be written yet. One that was written
    last and had its order already, or was moved there by earlier writes, tells nothing; but a store that then moves its
    siblings moves the last of them.
    """
    orders = {write.image_id: write.sort_order for write in written if write.sort_order is not None}
    if not orders:
        return set()
    listed = {image.image_id: image.sort_order for image in present}
    told = {image_id for image_id, order in orders.items() if listed.get(image_id, order) != order}
    count = sum(write.sort_order is not None for write in written)
    last, value = next((w.image_id, w.sort_order) for w in reversed(written) if w.sort_order is not None)
    former = {image.image_id: image.sort_order for image in before}.get(last)
    if former is not None and former <= value < former + count:
        others = [(order, image_id) for image_id, order in listed.items() if image_id != last and order >= value]
        told |= {image_id for _, image_id in sorted(others)[-1:]}
    return told
