"""A run's history and a fresh listing, turned into the changes that take the run back in one product. Pure.

Made images go, by their ids only; written fields get their former values; deleted images are uploaded again from the
backup. What somebody changed since is left alone and named; what can't come back exactly is said before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .diff import diff
from .mend import image_failure
from .model import Wanted, WantedProduct
from .names import GONE
from .order import Place, is_met
from .plan import Batch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .diff import Memory
    from .ledger import Course
    from .model import Present
    from .order import Reading
    from .report import Failure

CHANGED = "somebody changed it since the run; it was left alone"


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
) -> TakenBack:
    """Turn what a run did to a product back; `present` is how the product is now, `kept` what the backup has of it.

    `restored` is what an earlier undo brought back: file of the backup -> its new image.
    """
    taken = TakenBack(done)
    now = {image.image_id: image for image in present}
    removable = _removable(done, course, now, taken)
    restore_order = _restores_order(done, course, now, taken)
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
    kept_ids = memory_ids(memory) | removable
    ours = [image for image in present if image.image_id in kept_ids]
    others = [image for image in present if image.image_id not in kept_ids]
    product = WantedProduct(done.product_id, rows, done.product.line)
    found = diff(product, ours, memory, mirror=True, reading=reading, bystanders=others, by_name=False)
    taken.batch = Batch(product, present, found.changes, memory, by_name=False)
    return taken


def memory_ids(memory: Memory) -> set[int]:
    """The image ids that a memory speaks of."""
    return {image_id for image_id, _ in memory.values()}


def _removable(done: Batch, course: Course, now: dict[int, Present], taken: TakenBack) -> set[int]:
    """The images that the run made and that nobody has touched since."""
    removable = set()
    for image_id, row in course.made.items():
        if image_id not in now or image_id in course.deleted:
            continue
        wanted, image = done.product.images[row], now[image_id]
        if wanted.description is not None and wanted.description != image.description:
            taken.left_alone.append(image_failure(done, image_id, CHANGED))
        else:
            removable.add(image_id)
    return removable


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


def _restores_order(done: Batch, course: Course, now: dict[int, Present], taken: TakenBack) -> bool:
    """Whether the former order is to be put back: the run wrote it, and nobody has written it since."""
    if not _order_written(done, course):
        return False
    if _order_as_left(done, course, now):
        return True
    taken.left_alone.append(image_failure(done, None, "its order: " + CHANGED))
    return False


def _order_as_left(done: Batch, course: Course, now: dict[int, Present]) -> bool:
    """Whether the managed images stand as the run left them."""
    ids = {source: pair[0] for source, pair in done.memory.items()}
    ids |= {done.product.images[row].image_file: image_id for image_id, row in course.made.items()}
    places = [
        Place(image.sort_order, ids[image.image_file], row)
        for row, image in enumerate(done.product.images)
        if image.sort_order is not None and ids.get(image.image_file) in now
    ]
    return is_met(places, {image_id: image.sort_order for image_id, image in now.items()})


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
