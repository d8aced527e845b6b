"""A run's history and a fresh listing, turned into the changes that take the run back in one product. Pure.

Made images go, by their ids only; written fields get their former values; deleted images are uploaded again from the
backup. What somebody changed since is left alone and named; what can't come back exactly is said before. Where a former
image can't come back at all, the made ones stay unless losses are allowed: no gallery gets emptier by an undo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checkpoint.unconfirmed import resolve_writes
from ..diff.compare import compare
from ..image_files import GONE, same_name
from ..model import Wanted, WantedProduct
from ..plan.batch import ProductPlan
from ..plan.failures import image_failure
from .evidence import (
    _asked,
    _asked_thumbnail,
    _in_place,
    _moved,
    _order_written,
    _sent,
    _thumbnail_of,
    _was_given_the_thumbnail,
)
from .reversal import CHANGED, HELD, LOST, NOT_KEPT, BackupCopy, Reversal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..checkpoint.states import ProductLedger
    from ..diff.renumbering import RenumberingModel
    from ..identities import IdentityMap
    from ..model import StoredImage


def revert(
    done: ProductPlan,
    course: ProductLedger,
    present: list[StoredImage],
    kept: Mapping[int, BackupCopy],
    reading: RenumberingModel,
    restored: IdentityMap,
    *,
    renames_files: bool = False,
    allow_loss: bool = False,
) -> Reversal:
    """Turn what a run did to a product back; `present` is how the product is now, `kept` what the backup has of it.

    `restored` is what an earlier undo brought back: file of the backup -> its new image. With `names_lost` a picture
    can't be told by its name. Where former images can't come back, what the run made only goes if `allow_loss` says so.
    """
    taken = Reversal(done)
    now = {image.image_id: image for image in present}
    former = sorted(done.present, key=lambda each: (each.sort_order, each.image_id))
    there = {image.image_id: _where(image, kept, restored, now) for image in former}
    in_place = _in_place([image_id for image_id in there.values() if image_id is not None], now)
    moved = _moved(done, course, now, reading, in_place=in_place)
    removable = _removable(done, course, now, moved, taken, renames_files=renames_files)
    in_order = not (in_place and moved) and _restores_order(done, course, there, moved, taken)
    thumbnail = _thumbnail(done, course, there, kept, now, taken)
    memory: IdentityMap = {}
    rows: list[Wanted] = []
    for image in former:
        at = there[image.image_id]
        wanted = _former_image(done, course, image, now.get(at or 0), kept, restored, taken)
        if wanted is None:
            continue
        if at is not None:
            memory[wanted.image_file] = (at, None)
        if in_order or at is None:
            wanted.sort_order = image.sort_order
        if thumbnail is not None:
            wanted.is_thumbnail = image.image_id == thumbnail
        rows.append(wanted)
    if len(rows) < len(former):
        removable = _spared(done, removable, len(former) - len(rows), taken, allow_loss=allow_loss)
    taken.batch = _plan_to(WantedProduct(done.product_id, rows, done.product.line), present, memory, removable, reading)
    return taken


def settle_doubts(course: ProductLedger, present: list[StoredImage]) -> None:
    """What the run sent and had no answer to has happened where a listing shows it."""
    for shows, key, more in resolve_writes(course, present):
        verb, _, number = key.partition(":")
        sent = course.changes[key].sent or {}
        if verb == "empty":
            course.deleted.update(more["image_ids"])
        elif shows and verb == "delete":
            course.deleted.add(int(number))
        elif shows:
            course.written.setdefault(int(number), set()).update(sent["fields"])


def _spared(done: ProductPlan, removable: set[int], lost: int, taken: Reversal, *, allow_loss: bool) -> set[int]:
    """What the run made, in a product of which some former images can't come back: it stays, unless losses are allowed."""
    if not removable:
        return removable
    made = f"{len(removable)} image{'s' * (len(removable) != 1)} that the run made"
    gone = f"{lost} of the {len(done.present)} former images can't come back"
    if allow_loss:
        taken.losses.append(f"product {done.product_id}: {made} will be deleted although {gone} (--allow-loss)")
        return removable
    taken.losses.append(
        f"product {done.product_id}: nothing is deleted: {made} will stay, because {gone} (--allow-loss)"
    )
    taken.skipped += [image_failure(done, image_id, HELD) for image_id in sorted(removable)]
    return set()


def identities_before(
    batch: ProductPlan, course: ProductLedger, kept: Mapping[int, BackupCopy], restored: IdentityMap, stands: set[int]
) -> IdentityMap:
    """What is known of a product that was taken back: what had been deleted stands under its new id, its version unchanged.

    What the run made and the undo left there (`stands`) is still known to be of its source.
    """
    known: IdentityMap = {}
    for source, former in batch.identities.items():
        image_id, version = former[:2]
        back = _brought_back(kept.get(image_id), restored)
        if back is not None:
            known[source] = (back[1], version)
        elif image_id not in course.deleted:
            known[source] = former
    for image_id in sorted(course.made.keys() & stands):
        image = batch.product.images[course.made[image_id]]
        known.setdefault(image.image_file, (image_id, image.version))
    return known


def _brought_back(copy: BackupCopy | None, restored: IdentityMap) -> tuple[str, int] | None:
    """The file from which an earlier undo brought an image back, and the id under which it stands since."""
    files = copy.files if copy is not None else ()
    return next(((file, restored[file][0]) for file in files if file in restored), None)


def _where(
    image: StoredImage, kept: Mapping[int, BackupCopy], restored: IdentityMap, now: dict[int, StoredImage]
) -> int | None:
    """The id under which a former image stands: its own, or the one that an earlier undo brought it back with."""
    if image.image_id in now:
        return image.image_id
    back = _brought_back(kept.get(image.image_id), restored)
    return back[1] if back is not None and back[1] in now else None


def _plan_to(
    product: WantedProduct,
    present: list[StoredImage],
    memory: IdentityMap,
    removable: set[int],
    reading: RenumberingModel,
) -> ProductPlan:
    """The batch that leads to the former state: only the former images and the removable ones are touched."""
    ids = {known[0] for known in memory.values()} | removable
    ours = [image for image in present if image.image_id in ids]
    others = [image for image in present if image.image_id not in ids]
    found = compare(product, ours, memory, delete_extra=True, model=reading, unmanaged=others, by_name=False)
    return ProductPlan(product, present, found.changes, memory, by_name=False)


def _removable(
    done: ProductPlan,
    course: ProductLedger,
    now: dict[int, StoredImage],
    moved: set[int],
    taken: Reversal,
    *,
    renames_files: bool,
) -> set[int]:
    """The images that the run made and that nobody has touched since."""
    removable = set()
    for image_id, row in course.made.items():
        if image_id not in now or image_id in course.deleted:
            continue
        source, sent, image = done.product.images[row].image_file, _sent(course, row), now[image_id]
        if (
            (not renames_files and not same_name(source, image.image_file))
            or _text_kept(course, image_id, sent.get("description", "")) != image.description
            or image_id in moved
            or _was_given_the_thumbnail(done, course, image_id, now)
        ):
            taken.skipped.append(image_failure(done, image_id, CHANGED))
        else:
            removable.add(image_id)
    return removable


def _text_kept(course: ProductLedger, image_id: int, text: str | None) -> str | None:
    """The description that was sent, as the store answered that it keeps it."""
    kept: str | None = course.own.get(image_id, {}).get("description", (text, text))[1]
    return kept


def _former_image(
    done: ProductPlan,
    course: ProductLedger,
    image: StoredImage,
    now: StoredImage | None,
    kept: Mapping[int, BackupCopy],
    restored: IdentityMap,
    taken: Reversal,
) -> Wanted | None:
    """How one of the former images is wanted again; None where there is nothing to be done about it."""
    image_id, copy = image.image_id, kept.get(image.image_id)
    if now is not None and now.image_id == image_id:
        wanted = Wanted(f"{GONE}{image_id}")
        if "description" in course.written.get(image_id, ()) and now.description != image.description:
            if now.description == _text_kept(course, image_id, _asked(done, image_id)):
                wanted.description = image.description
            else:
                taken.skipped.append(image_failure(done, image_id, "description: " + CHANGED))
        return wanted
    if image_id not in course.deleted:
        taken.skipped.append(image_failure(done, image_id, "somebody deleted it since the run"))
        return None
    back = _brought_back(copy, restored)
    if back is not None:
        if now is not None:
            return Wanted(back[0], image.description, image.sort_order, image.is_thumbnail)
        taken.skipped.append(image_failure(done, image_id, "somebody deleted it since it was brought back"))
        return None
    if copy is None or copy.file is None:
        fault = NOT_KEPT if copy is None else copy.fault
        here = f"image {image_id} of product {done.product_id}"
        taken.losses.append(f"{here} can't come back: no backup has its picture ({fault})")
        taken.skipped.append(image_failure(done, image_id, LOST.format(fault)))
        return None
    what = "" if copy.original else ", and only its largest rendition was kept"
    taken.losses.append(f"image {image_id} of product {done.product_id} comes back with a new id{what}")
    return Wanted(copy.file, image.description, image.sort_order, image.is_thumbnail)


def _restores_order(
    done: ProductPlan, course: ProductLedger, there: dict[int, int | None], moved: set[int], taken: Reversal
) -> bool:
    """Whether the former order is to be put back: the run wrote it, or an image comes back, and nobody has moved any."""
    comes_back = any(at is None and image_id in course.deleted for image_id, at in there.items())
    if not comes_back and not _order_written(done, course):
        return False
    if not moved:
        return True
    taken.skipped += [
        image_failure(done, image_id, "its place: " + CHANGED) for image_id in sorted(moved - course.made.keys())
    ]
    if moved <= course.made.keys():
        taken.skipped.append(image_failure(done, None, "its order: " + CHANGED))
    return False


def _thumbnail(
    done: ProductPlan,
    course: ProductLedger,
    there: dict[int, int | None],
    kept: Mapping[int, BackupCopy],
    now: dict[int, StoredImage],
    taken: Reversal,
) -> int | None:
    """Which former image shall have the thumbnail again: its id, 0 for none, None where it isn't ours to move."""
    former, present = _thumbnail_of(done.present), _thumbnail_of(now.values())
    back = there.get(former)
    written = any(image.is_thumbnail is not None for image in done.product.images)
    touched = written or former in course.deleted or present in course.made
    copy = kept.get(former)
    lost = former and back is None and (copy is None or copy.file is None)
    if present == (back or 0) or not touched or lost:
        return None
    if present in course.made and _was_given_the_thumbnail(done, course, present, now):
        return None
    asked = _asked_thumbnail(done, course)
    # Where its bearer was taken away, by the run or by an undo, the store has passed it on by itself.
    passed_on = former in course.deleted or present in course.made or asked in course.made
    if present in {0, asked} or (asked not in now and passed_on):
        return former
    taken.skipped.append(image_failure(done, present, "the thumbnail: " + CHANGED))
    return None
