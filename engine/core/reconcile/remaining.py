"""The changes that remain in a product under way: the plan's diff, applied to a fresh listing.

The plan bounds it: nothing is deleted that the plan did not name, nothing refused is sent again in this run, and what
somebody else added meanwhile is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..diff.compare import compare
from ..identities import known_image, merge_own_values, own_values_of
from ..image_files import GONE
from ..model import Wanted, WantedProduct
from ..plan.failures import failure_row, field_failures, image_failure, row_failure

if TYPE_CHECKING:
    from collections.abc import Container

    from ..checkpoint.states import ProductLedger
    from ..diff.changes import Changes, Difference
    from ..diff.renumbering import RenumberingModel
    from ..identities import IdentityMap
    from ..model import StoredImage
    from ..plan.batch import ProductPlan
    from ..results import Failure
    from .stale import Written


def _unmanaged(product: WantedProduct, memory: IdentityMap, frozen: set[int]) -> WantedProduct:
    """Return the product without wishes for the `frozen` images."""
    if not frozen:
        return product
    images = [
        Wanted(image.image_file, version=image.version) if memory.get(image.image_file, (0,))[0] in frozen else image
        for image in product.images
    ]
    return WantedProduct(product.product_id, images, product.line)


MAX_LOSSES = 8
"""Lost answers in a row, to a write that had not happened each time, after which this run abandons it."""
MAX_PASSES = 3
"""Passes over a product before what is left counts as failed."""


def identities_after(batch: ProductPlan, course: ProductLedger, gone: Container[int] = ()) -> IdentityMap:
    """Return the known images of a product: the plan's, and those that this run has created.

    What was made and is `gone` has been taken away by somebody else. An image that was replaced and could not be deleted
    is remembered by its id, lest it be taken for the new one some day.
    """
    memory: IdentityMap = {source: pair for source, pair in batch.identities.items() if pair[0] not in course.deleted}
    for image_id, row in course.made.items():
        if image_id not in course.deleted and image_id not in gone:
            image = batch.product.images[row]
            memory[image.image_file] = (image_id, image.version)
    for create in batch.changes.creates:
        source = batch.product.images[create.row].image_file
        old = batch.identities.get(source)
        still_there = create.replaces not in course.deleted
        if old is not None and old[0] == create.replaces and still_there and memory.get(source) != old:
            memory[f"{GONE}{old[0]}"] = old
    return _with_own(batch, course, memory) if course.own else memory


def _with_own(batch: ProductPlan, course: ProductLedger, memory: IdentityMap) -> IdentityMap:
    """Return the identities with the values that the store changed in this run."""
    wanted = {image.image_file: image for image in batch.product.images}
    for source, pair in memory.items():
        own, image = course.own.get(pair[0]), wanted.get(source)
        if own is not None and image is not None:
            kept = merge_own_values(image, own, own_values_of(pair), course.written.get(pair[0], ()))
            memory[source] = known_image(pair[0], pair[1], kept)
    return memory


def remaining_changes(
    batch: ProductPlan,
    course: ProductLedger,
    present: list[StoredImage],
    reading: RenumberingModel,
    rejected: set[int],
    frozen: set[int],
    *,
    delete_extra: bool,
) -> Difference:
    """Return the changes that are left, bounded by the plan.

    `refused` are the rows that the store would not take in this run, `barred` the images that it would not update: they
    stay as they are, and nothing is arranged as if they moved.
    """
    ours = {image.image_id for image in batch.present} | set(course.made)
    known_images = [image for image in present if image.image_id in ours]
    strangers = [image for image in present if image.image_id not in ours]
    memory = identities_after(batch, course, course.made.keys() - {image.image_id for image in present})
    found = compare(
        _unmanaged(batch.product, memory, frozen),
        known_images,
        memory,
        delete_extra=delete_extra,
        model=reading,
        unmanaged=strangers,
        by_name=batch.by_name,
        skip=frozenset(rejected | {failure_row(batch, failure) for failure in batch.failures}),
    )
    changes = found.changes
    planned = set(batch.changes.deletes)
    changes.deletes = [image_id for image_id in changes.deletes if image_id in planned]
    return found


def _moves(write: Written, former: dict[int, StoredImage]) -> bool:
    """Return True if the write of a sort order may have moved any image."""
    if write.sort_order is None:
        return False
    there = former.get(write.image_id)
    return not (write.own_order and there is not None and there.sort_order == write.sort_order)


def contradicted(course: ProductLedger, present: list[StoredImage], written: list[Written]) -> set[int]:
    """Return the images that a lagging listing may show wrong: those created, deleted or written."""
    ids = {image.image_id for image in present}
    made = course.made.keys() - course.deleted - ids
    return made | (course.deleted & ids) | {write.image_id for write in written}


def unmoved(course: ProductLedger, present: list[StoredImage]) -> list[int]:
    """Return one image of an unconfirmed delete-many call if all of them are still listed; it stands for all."""
    change = course.changes.get("empty")
    ids = (change.sent or {}).get("image_ids", []) if change is not None and change.unconfirmed else []
    return ids[:1] if ids and {image.image_id for image in present}.issuperset(ids) else []


def matches_plan(batch: ProductPlan, present: list[StoredImage]) -> bool:
    """Return True if a product has the images and fields that its plan saw."""
    return {_seen(image) for image in present} == {_seen(image) for image in batch.present}


def _seen(image: StoredImage) -> tuple[int, str, str, int, bool]:
    return (image.image_id, image.image_file, image.description, image.sort_order, image.is_thumbnail)


def unfinished(batch: ProductPlan, course: ProductLedger, changes: Changes) -> list[Failure]:
    """Return a failure for each change that is left after the last pass, with field and values."""
    said = f"still not as asked after {MAX_PASSES} rounds of mending"
    told = [row_failure(batch, create.row, f"{said}: the store does not have it") for create in changes.creates]
    told += [failure for update in changes.updates for failure in field_failures(batch, course, update, f"{said}: ")]
    return told + [image_failure(batch, gone, f"{said}: the store still has it") for gone in changes.deletes]
