"""Deletes all images of a product: by delete-many calls if the store has them, else one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...clock import loop_time
from ...core.checkpoint import events
from ...core.errors import LostError, RefusedError
from ...core.plan.failures import unmanaged_image
from ...core.plan.summary import SURE_PAGE, bulk_calls
from ...core.reconcile.remaining import matches_plan
from .backing_up import back_up_gallery

if TYPE_CHECKING:
    from ...core.model import StoredImage
    from .io import ProductIO
    from .writer import ProductWriter

REFUSED_FOR_GOOD = frozenset({403, 404, 405, 501})
"""The statuses with which a store answers a call that it does not have (store-api.md: "delete all products" was removed)."""


async def delete_all(writer: ProductWriter, io: ProductIO) -> None:
    """Back up the gallery and send the delete-many calls, only right after a listing that equals the plan's."""
    store, product_id = io.store, writer.batch.product_id
    present, writer.fresh_listing = writer.fresh_listing, None
    if present is None:
        if not await back_up_gallery(io, writer.batch, writer.rejections):
            return
        present = await io.list(product_id)
    if not matches_plan(writer.batch, present):
        await _one_by_one(writer, io, present)
        return
    ids = [image.image_id for image in present]
    await writer.intend(events.sent(product_id, "empty", image_ids=ids, before=present))
    try:
        for page in range(bulk_calls(len(ids))):
            with writer.under_way("empty", sent_before=page > 0):
                await store.delete_page(product_id)
    except LostError as error:
        writer.note("lost", "empty", reason=error.reason)
        writer.log.ask_for_listing(loop_time())
    except RefusedError as error:
        await _refused(writer, io, ids, error)
    else:
        io.rejections.accepted()
        if len(ids) > SURE_PAGE:
            writer.log.ask_for_listing(loop_time())
        else:
            writer.note("confirmed", "empty", image_ids=ids)
            writer.count("empty", len(ids))


async def _refused(writer: ProductWriter, io: ProductIO, ids: list[int], error: RefusedError) -> None:
    """List what a refused delete-many call has deleted; delete the rest one by one if the store has no such call."""
    present = await io.list(writer.batch.product_id)
    left = [image for image in present if image.image_id in ids]
    gone = set(ids) - {image.image_id for image in left}
    writer.note("found" if gone else "absent", "empty", image_ids=sorted(gone))
    if error.status not in REFUSED_FOR_GOOD:
        for image in left:
            writer.rejections.fail_image(image.image_id, error.reason, error.status)
        return
    io.progress.more(len(left))
    failed = len(writer.rejections.failures)
    await _one_by_one(writer, io, present)
    if left and len(writer.rejections.failures) == failed and io.traits.delete_many:
        io.observe(delete_many=False)
        io.progress.notify(
            f"the store refuses to delete all images of a product by one call ({error.status}: {error.reason}). From now on "
            "they are deleted one by one, and plans are priced so"
        )


async def _one_by_one(writer: ProductWriter, io: ProductIO, present: list[StoredImage]) -> None:
    """Delete the images that the plan names, each by its id, and report those that others have added."""
    planned = set(writer.batch.changes.deletes)
    for image in present:
        if image.image_id in planned:
            await writer.delete(image.image_id)
        elif io.delete_extra:
            writer.rejections.failures.append(unmanaged_image(writer.batch, image))
