"""What a journal proves about one product: what was sent, in which order, and what stands now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..diff.renumbering import RenumberingModel, make_room
from ..diff.sort_order import longest_run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..checkpoint.states import ProductLedger
    from ..model import StoredImage
    from ..plan.batch import ProductPlan


def _sent(course: ProductLedger, row: int) -> dict[str, Any]:
    """The fields that the row's create carried."""
    change = course.changes.get(f"create:{row}")
    event = (change.sent if change is not None else None) or {}
    fields: dict[str, Any] = event.get("fields", {})
    return fields


def _was_given_the_thumbnail(
    done: ProductPlan, course: ProductLedger, image_id: int, now: dict[int, StoredImage]
) -> bool:
    """Whether a made image has the thumbnail without having asked for it, though the store had no need to pass it on."""
    if not now[image_id].is_thumbnail or _sent(course, course.made[image_id]).get("is_thumbnail"):
        return False
    former = _thumbnail_of(done.present)
    return former in now and former not in course.deleted


def _asked(done: ProductPlan, image_id: int) -> str | None:
    """The description that the run's manifest asked for."""
    sources = {pair[0]: source for source, pair in done.identities.items()}
    return next((i.description for i in done.product.images if i.image_file == sources.get(image_id)), None)


def _order_written(done: ProductPlan, course: ProductLedger) -> bool:
    """Whether the run may have moved anything: by a PUT, or by a create on a store that renumbers then."""
    moved = any("sort_order" in fields for fields in course.written.values())
    return moved or (bool(course.made) and any(image.sort_order is not None for image in done.product.images))


def _in_place(former: list[int], now: dict[int, StoredImage]) -> bool:
    """Whether the former images stand among each other as they did before the run."""
    return longest_run(former, {image_id: image.sort_order for image_id, image in now.items()}) == set(former)


def _moved(
    done: ProductPlan, course: ProductLedger, now: dict[int, StoredImage], reading: RenumberingModel, *, in_place: bool
) -> set[int]:
    """The images that stand elsewhere among the others than where the run left them.

    Where the former ones stand as before it (`in_place`), only those it made can have been moved since. Only their order
    tells: on a store that renumbers, an image that somebody adds changes every number.
    """
    orders = {image_id: image.sort_order for image_id, image in now.items()}
    left = {image_id: order for image_id, order in _left(done, course, reading).items() if image_id in now}
    if in_place:
        made = course.made.keys() & left.keys()
        return {i for i in made if _ahead(i, left.keys() - made, left) != _ahead(i, left.keys() - made, orders)}
    row = sorted(left, key=lambda image_id: (left[image_id], image_id))
    return set(row) - longest_run(row, orders)


def _ahead(image_id: int, others: Iterable[int], orders: dict[int, int]) -> set[int]:
    """Which of the others stand before an image."""
    return {other for other in others if (orders[other], other) < (orders[image_id], image_id)}


def _left(done: ProductPlan, course: ProductLedger, reading: RenumberingModel) -> dict[int, int]:
    """The sort orders as the run left them: as its last look showed them, else as it wrote, found or moved them."""
    if course.orders:
        return course.orders
    asked = {image_id: _sent(course, row).get("sort_order") for image_id, row in course.made.items()}
    if any("sort_order" in fields for fields in course.written.values()):
        # Nobody looked after those PUTs, so what they did to the unmanaged images is not known.
        rows = {image.image_file: image.sort_order for image in done.product.images}
        asked |= {pair[0]: rows.get(source) for source, pair in done.identities.items()}
        return {image_id: order for image_id, order in asked.items() if order is not None}
    orders = {image.image_id: image.sort_order for image in done.present}
    for image_id, order in asked.items():
        if order is not None:
            if reading.on_create:
                make_room(orders, order)
            orders[image_id] = order
    return orders


def _thumbnail_of(images: Iterable[StoredImage]) -> int:
    """The id of the image that has the thumbnail, 0 for none."""
    return next((image.image_id for image in images if image.is_thumbnail), 0)


def _asked_thumbnail(done: ProductPlan, course: ProductLedger) -> int:
    """The image that the manifest gave the thumbnail to; 0 for none."""
    ids = {source: pair[0] for source, pair in done.identities.items()}
    ids |= {done.product.images[row].image_file: image_id for image_id, row in course.made.items()}
    return next((ids.get(image.image_file, 0) for image in done.product.images if image.is_thumbnail), 0)
