"""Duplicates that a retried create may have left."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..image_files import bears_name
from ..source_addresses import unsigned

if TYPE_CHECKING:
    from ..checkpoint.states import Course
    from ..model import Present, WantedProduct
    from ..plan.batch import Batch

Resent = dict[str, list[int]]
"""Of one product, the sources whose create was sent again after a look in vain -> the images that are no twins of theirs."""


def twins(batch: Batch, course: Course, strangers: list[Present], *, names_lost: bool) -> dict[int, list[Present]]:
    """Newcomers that bear the name of a create which was sent again after a look in vain; row -> those newcomers.

    On a store that loses names any of them may be one.
    """
    suspects: dict[int, list[Present]] = {}
    for row in course.twins_possible() if names_lost else course.made_again():
        alike = _alike(batch.product.images[row].image_file, strangers, names_lost=names_lost)
        if alike:
            suspects[row] = alike
    return suspects


def resent_in(batch: Batch, course: Course) -> Resent:
    """The product's creates that were sent again after a look in vain, and the images that are explained without them."""
    explained = [image.image_id for image in batch.present] + list(course.made)
    return {batch.product.images[row].image_file: explained for row in course.twins_possible()}


def late_twins(
    product: WantedProduct, present: list[Present], paired: set[int], resent: Resent, *, names_lost: bool
) -> dict[int, list[Present]]:
    """Twins that the former run could not see, or left: row -> images that it can't explain and that have no row.

    A source whose signature alone is new is the one that was sent again, unless another source of the product could be.
    """
    late: dict[int, list[Present]] = {}
    if not resent:
        return late
    alike_sources = Counter(unsigned(image.image_file) for image in product.images)
    former = {unsigned(source): known for source, known in resent.items()}
    for row, image in enumerate(product.images):
        known = resent.get(image.image_file)
        if known is None and alike_sources[unsigned(image.image_file)] == 1:
            known = former.get(unsigned(image.image_file))
        if known is None:
            continue
        strangers = [each for each in present if each.image_id not in paired and each.image_id not in known]
        alike = _alike(image.image_file, strangers, names_lost=names_lost)
        if alike:
            late[row] = alike
    return late


def _alike(source: str, strangers: list[Present], *, names_lost: bool) -> list[Present]:
    return [image for image in strangers if names_lost or bears_name(source, image.image_file)]
