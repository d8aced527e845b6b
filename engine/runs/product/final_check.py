"""The final check of a product with a create that was ever unconfirmed: one more listing at the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ...clock import loop_time
from ...core.errors import LostError, RefusedError
from ...core.plan.failures import duplicate_image, unexplained_image
from ...core.reconcile import closing
from ...core.reconcile.doubts import match_unconfirmed
from ...core.reconcile.duplicates import duplicates
from .io import Later, StopRequested

if TYPE_CHECKING:
    from ...core.diff.changes import Changes
    from ...core.model import StoredImage
    from ...progress import Stop
    from .reconciler import ProductReconciler


async def final_check(product: ProductReconciler) -> None:
    """List the product once more; adopt late images, and delete or report duplicates.

    Raises StopRequested if the run was asked to stop.
    """
    io = product.io
    if io.stop.stopping:
        raise StopRequested
    try:
        present = await io.list(product.batch.product_id)
    except (LostError, RefusedError) as error:
        product.rejections.fail_image(None, f"its last look failed: {error.reason}", error.status)
        product.finish()
    else:
        await _check(product, present)
    io.note(closing.settled(product.batch, product.ledger))


async def _check(product: ProductReconciler, present: list[StoredImage]) -> None:
    batch, ledger, rejections = product.batch, product.ledger, product.rejections
    matched = match_unconfirmed(batch, ledger, present, renames_files=False)
    if matched.found or product.unlisted:
        await _continue_with(product, matched.found, present)
    unexplained = [image for image in matched.unexplained if image.image_id not in ledger.made]
    before = len(rejections.failures)
    await _delete_duplicates(product, unexplained)
    if ledger.abandoned() and not product.io.traits.renames_files:
        rejections.failures += [unexplained_image(batch, image) for image in unexplained]
    if len(rejections.failures) > before:
        product.finish()


async def _delete_duplicates(product: ProductReconciler, unexplained: list[StoredImage]) -> None:
    """Delete a single duplicate of a create if the run may delete; report all others."""
    io, rejections = product.io, product.rejections
    renames_files = io.traits.renames_files
    for row, alike in duplicates(product.batch, product.ledger, unexplained, renames_files=renames_files).items():
        if io.delete_extra and len(alike) == 1 and not renames_files:
            await product.writer.delete(alike[0].image_id, alike[0])
        else:
            rejections.failures += [duplicate_image(product.batch, row, image) for image in alike]
    if rejections.unconfirmed_deletes:
        await _to_the_end(product, None)


async def _continue_with(product: ProductReconciler, found: dict[int, int], present: list[StoredImage]) -> None:
    """Do what was held back for a create that failed and has appeared, or for a product that could not be listed."""
    product.adopt(found)
    unlisted, product.unlisted = product.unlisted, []
    rejections = product.rejections
    rejections.failures = [failure for failure in rejections.failures if failure not in unlisted]
    # Without a listing until now, more is unconfirmed than the creates that a final check adopts.
    await _to_the_end(product, None if unlisted else product.remaining(present))
    product.finish()


async def _to_the_end(product: ProductReconciler, changes: Changes | None) -> None:
    """Perform `changes`, or what a listing leaves to do if None; wait out each settle time here.

    Raises StopRequested if the run is asked to stop meanwhile.
    """
    with product.failing_without_listing():
        while True:
            try:
                await product.passes(await product.recheck() if changes is None else changes)
            except Later as later:
                changes = None
                await _wait_until(product.io.stop, later.due)
            else:
                return


async def _wait_until(stop: Stop, due: float) -> None:
    with anyio.move_on_after(max(0.0, due - loop_time())) as scope:
        stop.on_stop(scope.cancel)
        await anyio.sleep_forever()
    if stop.stopping:
        raise StopRequested
