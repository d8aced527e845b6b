"""Takes all images of a product away: by delete-many calls where the store has them, else one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.checkpoint import events
from ...core.errors import LostError, RefusedError
from ...core.plan.failures import image_failure, unmanaged_image
from ...core.plan.summary import SURE_PAGE, bulk_calls
from ...core.reconcile.remaining import matches_plan

if TYPE_CHECKING:
    from ...core.model import StoredImage
    from .io import ProductIO
    from .writer import ProductWriter

REFUSED_FOR_GOOD = frozenset({403, 404, 405, 501})
"""With these a store answers a call that it doesn't have, or has no more (store-api.md: "delete all products" was removed)."""


async def delete_all(writes: ProductWriter, tools: ProductIO) -> None:
    """Send the delete-many call, only right after a listing that equals the plan's; what is to be kept is kept before it."""
    store, product_id = tools.store, writes.batch.product_id
    present, writes.listing = writes.listing, None
    if present is None:
        if not await writes.back_up_gallery():
            return
        present = await tools.list(product_id)
    if not matches_plan(writes.batch, present):
        await _one_by_one(writes, tools, present)
        return
    ids = [image.image_id for image in present]
    await writes.intend(events.sent(product_id, "empty", image_ids=ids, before=present))
    try:
        for page in range(bulk_calls(len(ids))):
            with writes.under_way("empty", sent_before=page > 0):
                await store.delete_page(product_id)
    except LostError as error:
        writes.note("lost", "empty", reason=error.reason)
        writes.leave_to_a_look()
    except RefusedError as error:
        await _refused(writes, tools, ids, error)
    else:
        tools.rejections.accepted()
        if len(ids) > SURE_PAGE:
            writes.leave_to_a_look()
        else:
            writes.note("confirmed", "empty", image_ids=ids)
            writes.count("empty", len(ids))


async def _refused(writes: ProductWriter, tools: ProductIO, ids: list[int], error: RefusedError) -> None:
    """Part of it may have happened before the refusal: a failure must be true. A store without the call deletes one by one."""
    present = await tools.list(writes.batch.product_id)
    left = [image for image in present if image.image_id in ids]
    gone = set(ids) - {image.image_id for image in left}
    writes.note("found" if gone else "absent", "empty", image_ids=sorted(gone))
    if error.status not in REFUSED_FOR_GOOD:
        writes.failures += [image_failure(writes.batch, i.image_id, error.reason, error.status) for i in left]
        return
    tools.progress.more(len(left))
    failed = len(writes.failures)
    await _one_by_one(writes, tools, present)
    if left and len(writes.failures) == failed and tools.traits.delete_many:
        tools.observe(delete_many=False)
        tools.progress.notify(
            f"the store refuses to delete all images of a product by one call ({error.status}: {error.reason}). From now on "
            "they are deleted one by one, and plans are priced so"
        )


async def _one_by_one(writes: ProductWriter, tools: ProductIO, present: list[StoredImage]) -> None:
    """Delete the images that the plan names, each by its id; what somebody has added is left alone."""
    planned = set(writes.batch.changes.deletes)
    for image in present:
        if image.image_id in planned:
            await writes.delete(image.image_id)
        elif tools.delete_extra:
            writes.failures.append(unmanaged_image(writes.batch, image))
