"""Backs up images before they are deleted; without --backup there is nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.errors import BackupError

if TYPE_CHECKING:
    from ...core.model import StoredImage
    from ...core.plan.batch import ProductPlan
    from ...core.reconcile.rejections import Rejections
    from .io import ProductIO


async def back_up_gallery(io: ProductIO, batch: ProductPlan, rejections: Rejections) -> bool:
    """Back up all images of a product; return False if one failed.

    Downloads take long, so this comes before the listing that allows the delete-many call.
    """
    images = batch.present
    if io.backup is not None and any(image.url is None for image in images):
        images = await io.list(batch.product_id)  # the plan was made without --backup
    return await back_up(io, batch.product_id, images, rejections)


async def back_up(io: ProductIO, product_id: int, images: list[StoredImage], rejections: Rejections) -> bool:
    """Back up images; return False after the first failure, and then none of them may be deleted.

    Raises StoppedError if the run is asked to stop between two images.
    """
    if io.backup is None:
        return True
    for image in images:
        try:
            await io.backup.keep(product_id, image)
        except BackupError as error:
            rejections.fail_image(image.image_id, f"not deleted: {error}")
            return False
    return True
