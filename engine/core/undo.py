"""A run's history and a fresh listing, turned into the changes that take the run back in one product. Pure.

Made images go, by their ids only; written fields get their former values; deleted images are uploaded again from the
backup. What somebody changed since is left alone and named; what can't come back exactly is said before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .diff import diff
from .mend import image_failure
from .model import Wanted, WantedProduct
from .names import GONE, bears_name
from .order import longest_run, make_room
from .plan import Batch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .diff import Memory
    from .ledger import Course
    from .model import Present
    from .order import Reading
    from .report import Failure

CHANGED = "somebody changed it since the run; it was left alone"
LOST = "the run deleted it, and this backup has no whole picture of it; give undo again with the --backup folder of the run"


@dataclass(slots=True)
class Kept:
    """What undo must know of a picture in the backup: the file to upload, and whether it is the original."""

    file: str
    original: bool


@dataclass(slots=True)
class TakenBack:
    """The batch that takes one product back, what is left alone, and what can't come back exactly (sentences)."""

    batch: Batch
    left_alone: list[Failure] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)


def take_back(
    done: Batch,
    course: Course,
    present: list[Present],
    kept: Mapping[int, Kept],
    reading: Reading,
    restored: Memory,
    *,
    names_lost: bool = False,
) -> TakenBack:
    """Turn what a run did to a product back; `present` is how the product is now, `kept` what the backup has of it.

    `restored` is what an earlier undo brought back: file of the backup -> its new image. With `names_lost` a picture
    can't be told by its name.
    """
    taken = TakenBack(done)
    now = {image.image_id: image for image in present}
    moved = _moved(done, course, now, reading)
    removable = _removable(done, course, now, moved, taken, names_lost=names_lost)
    restore_order = _restores_order(done, course, moved, taken)
    thumbnail = _thumbnail(done, course, now, taken)
    memory: Memory = {}
    rows: list[Wanted] = []
    for image in sorted(done.present, key=lambda each: (each.sort_order, each.image_id)):
        wanted = _former(done, course, image, now, kept, taken)
        if wanted is None:
            continue
        there = image.image_id if image.image_id in now else restored.get(wanted.image_file, (0, None))[0]
        if there in now:
            memory[wanted.image_file] = (there, None)
        if restore_order or there not in now:
            wanted.sort_order = image.sort_order
        if thumbnail is not None:
            wanted.is_thumbnail = image.image_id == thumbnail
        rows.append(wanted)
    product = WantedProduct(done.product_id, rows, done.product.line)
    taken.batch = _towards(product, present, memory, removable, reading)
    return taken


def _towards(
    product: WantedProduct, present: list[Present], memory: Memory, removable: set[int], reading: Reading
) -> Batch:
    """The batch that leads to the former state: only the former images and the removable ones are touched."""
    ids = {image_id for image_id, _ in memory.values()} | removable
    ours = [image for image in present if image.image_id in ids]
    others = [image for image in present if image.image_id not in ids]
    found = diff(product, ours, memory, mirror=True, reading=reading, bystanders=others, by_name=False)
    return Batch(product, present, found.changes, memory, by_name=False)


def _removable(
    done: Batch, course: Course, now: dict[int, Present], moved: set[int], taken: TakenBack, *, names_lost: bool
) -> set[int]:
    """The images that the run made and that nobody has touched since."""
    removable = set()
    for image_id, row in course.made.items():
        if image_id not in now or image_id in course.deleted:
            continue
        source, sent, image = done.product.images[row].image_file, _sent(course, row), now[image_id]
        if (
            (not names_lost and not bears_name(source, image.image_file))
            or sent.get("description", "") != image.description
            or image_id in moved
            or _was_given_the_thumbnail(done, course, sent, image, now)
        ):
            taken.left_alone.append(image_failure(done, image_id, CHANGED))
        else:
            removable.add(image_id)
    return removable


def _sent(course: Course, row: int) -> dict[str, Any]:
    """The fields that the row's create carried."""
    change = course.changes.get(f"create:{row}")
    event = (change.sent if change is not None else None) or {}
    fields: dict[str, Any] = event.get("fields", {})
    return fields


def _was_given_the_thumbnail(
    done: Batch, course: Course, sent: dict[str, Any], image: Present, now: dict[int, Present]
) -> bool:
    """Whether a made image has the thumbnail without having asked for it, though the store had no need to pass it on."""
    if not image.is_thumbnail or sent.get("is_thumbnail"):
        return False
    former = next((each.image_id for each in done.present if each.is_thumbnail), 0)
    return former in now and former not in course.deleted


def _former(
    done: Batch, course: Course, image: Present, now: dict[int, Present], kept: Mapping[int, Kept], taken: TakenBack
) -> Wanted | None:
    """How one of the former images is wanted again; None where there is nothing to be done about it."""
    image_id = image.image_id
    if image_id in now:
        wanted = Wanted(f"{GONE}{image_id}")
        if "description" in course.written.get(image_id, ()):
            if now[image_id].description == _asked(done, image_id):
                wanted.description = image.description
            else:
                taken.left_alone.append(image_failure(done, image_id, "description: " + CHANGED))
        return wanted
    if image_id not in course.deleted:
        taken.left_alone.append(image_failure(done, image_id, "somebody deleted it since the run"))
        return None
    copy = kept.get(image_id)
    if copy is None:
        taken.losses.append(f"image {image_id} of product {done.product_id} can't come back: no backup has its picture")
        taken.left_alone.append(image_failure(done, image_id, LOST))
        return None
    what = "" if copy.original else ", and only its largest rendition was kept"
    taken.losses.append(f"image {image_id} of product {done.product_id} comes back with a new id{what}")
    return Wanted(copy.file, image.description, image.sort_order, image.is_thumbnail)


def _asked(done: Batch, image_id: int) -> str | None:
    """The description that the run's manifest asked for."""
    sources = {pair[0]: source for source, pair in done.memory.items()}
    return next((i.description for i in done.product.images if i.image_file == sources.get(image_id)), None)


def _order_written(done: Batch, course: Course) -> bool:
    """Whether the run may have moved anything: by a PUT, or by a create on a store that renumbers then."""
    moved = any("sort_order" in fields for fields in course.written.values())
    return moved or (bool(course.made) and any(image.sort_order is not None for image in done.product.images))


def _restores_order(done: Batch, course: Course, moved: set[int], taken: TakenBack) -> bool:
    """Whether the former order is to be put back: the run wrote it, and nobody has written it since."""
    if not _order_written(done, course):
        return False
    if not moved:
        return True
    taken.left_alone += [
        image_failure(done, image_id, "its place: " + CHANGED) for image_id in sorted(moved - course.made.keys())
    ]
    if moved <= course.made.keys():
        taken.left_alone.append(image_failure(done, None, "its order: " + CHANGED))
    return False


def _moved(done: Batch, course: Course, now: dict[int, Present], reading: Reading) -> set[int]:
    """The images that stand elsewhere among the others than where the run left them.

    Only their order tells: on a store that renumbers, an image that somebody adds changes every number.
    """
    left = {image_id: order for image_id, order in _left(done, course, reading).items() if image_id in now}
    orders = {image_id: now[image_id].sort_order for image_id in left}
    row = sorted(left, key=lambda image_id: (left[image_id], image_id))
    return set(row) - longest_run(row, orders)


def _left(done: Batch, course: Course, reading: Reading) -> dict[int, int]:
    """The sort orders as the run left them: as its last look showed them, else as it wrote, found or moved them."""
    if course.orders:
        return course.orders
    asked = {image_id: _sent(course, row).get("sort_order") for image_id, row in course.made.items()}
    if any("sort_order" in fields for fields in course.written.values()):
        # Nobody looked after those PUTs, so what they did to the unmanaged images is not known.
        rows = {image.image_file: image.sort_order for image in done.product.images}
        asked |= {pair[0]: rows.get(source) for source, pair in done.memory.items()}
        return {image_id: order for image_id, order in asked.items() if order is not None}
    orders = {image.image_id: image.sort_order for image in done.present}
    for image_id, order in asked.items():
        if order is not None:
            if reading.post:
                make_room(orders, order)
            orders[image_id] = order
    return orders


def _thumbnail(done: Batch, course: Course, now: dict[int, Present], taken: TakenBack) -> int | None:
    """Which former image shall have the thumbnail again: its id, 0 for none, None where it isn't ours to move."""
    former = next((image.image_id for image in done.present if image.is_thumbnail), 0)
    present = next((image_id for image_id, image in now.items() if image.is_thumbnail), 0)
    asked = any(image.is_thumbnail is not None for image in done.product.images)
    if present == former or not (asked or former in course.deleted or present in course.made):
        return None
    sources = {pair[0]: source for source, pair in done.memory.items()}
    ours = {sources.get(present)} & {image.image_file for image in done.product.images if image.is_thumbnail}
    if present and present not in course.made and not ours:
        taken.left_alone.append(image_failure(done, present, "the thumbnail: " + CHANGED))
        return None
    return former
