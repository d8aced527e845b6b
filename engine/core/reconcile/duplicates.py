"""Duplicates that a retried create may have left."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..image_files import same_name
from ..source_addresses import unsigned

if TYPE_CHECKING:
    from ..checkpoint.states import ProductLedger
    from ..model import StoredImage, WantedProduct
    from ..plan.batch import ProductPlan

RetriedCreates = dict[str, list[int]]
"""Sources of one product whose create was retried -> the image ids that are no duplicates of theirs."""


def duplicates(
    batch: ProductPlan, course: ProductLedger, unexplained: list[StoredImage], *, renames_files: bool
) -> dict[int, list[StoredImage]]:
    """Return the unexplained images that bear the name of a retried create, by manifest row.

    On a store that loses names any of them may be one.
    """
    suspects: dict[int, list[StoredImage]] = {}
    for row in course.may_have_duplicates() if renames_files else course.created_after_retry():
        alike = _alike(batch.product.images[row].image_file, unexplained, renames_files=renames_files)
        if alike:
            suspects[row] = alike
    return suspects


def retried_in(batch: ProductPlan, course: ProductLedger) -> RetriedCreates:
    """Return the sources whose create was retried, each with the images that are explained without it."""
    explained = [image.image_id for image in batch.present] + list(course.made)
    return {batch.product.images[row].image_file: explained for row in course.may_have_duplicates()}


def late_duplicates(
    product: WantedProduct,
    present: list[StoredImage],
    paired: set[int],
    retried: RetriedCreates,
    *,
    renames_files: bool,
) -> dict[int, list[StoredImage]]:
    """Return the duplicates that the prior run could not see, or left, by manifest row.

    A source whose signature alone is new is the one that was sent again, unless another source of the product could be; the
    twin then bears what the store made of the former one.
    """
    late: dict[int, list[StoredImage]] = {}
    if not retried:
        return late
    alike_sources = Counter(unsigned(image.image_file) for image in product.images)
    former = {unsigned(source): source for source in retried}
    for row, image in enumerate(product.images):
        sent: str | None = image.image_file
        if sent not in retried:
            plain = unsigned(image.image_file)
            sent = former.get(plain) if alike_sources[plain] == 1 else None
        if sent is None:
            continue
        known = retried[sent]
        unexplained = [each for each in present if each.image_id not in paired and each.image_id not in known]
        alike = _alike(sent, unexplained, renames_files=renames_files)
        if alike:
            late[row] = alike
    return late


def _alike(source: str, unexplained: list[StoredImage], *, renames_files: bool) -> list[StoredImage]:
    return [image for image in unexplained if renames_files or same_name(source, image.image_file)]
