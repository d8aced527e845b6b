"""What a run learned of which source is which image: read from its plan and journal, product by product, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import orjson

from .core.mend import known
from .core.record import is_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from .core.diff import Memory
    from .core.ledger import Ledger
    from .core.model import WantedProduct
    from .core.plan import Batch
    from .core.settle import Resent
    from .disk import Disk
    from .planfile import PlanFile

Item = TypeVar("Item", "WantedProduct", "Batch")
_FINISHED = b'{"event":"finished"'


def lessons(
    disk: Disk, journal: Path, plan: PlanFile, ledger: Ledger, *, listing: bool = True
) -> Iterator[tuple[int, Memory]]:
    """The listing's pairs, then the finished products', then those of products under way; of several the last holds.

    Without `listing` the plan's own pairs are left out.
    """
    for row, _ in plan.rows() if listing else ():
        if "images" in row:
            yield row["product_id"], row["images"]
    for line in disk.lines(journal):
        if line.startswith(_FINISHED) and is_whole(line):
            row = orjson.loads(line)
            yield row["product_id"], row["images"]
    under_way = ledger.courses.keys() - ledger.finished
    if under_way:
        for batch in plan.batches():
            if batch.product_id in under_way:
                yield batch.product_id, known(batch, ledger.courses[batch.product_id])


def resent_by(plan: PlanFile, ledger: Ledger) -> dict[int, Resent]:
    """The creates that an unfinished run sent again after a look in vain, with the images that it knew of then."""
    if not any(course.twins_possible() for course in ledger.courses.values()):
        return {}
    resent: dict[int, Resent] = {}
    for batch in plan.batches():
        course = ledger.courses.get(batch.product_id)
        rows = course.twins_possible() if course is not None else []
        if course is not None and rows:
            ids = [image.image_id for image in batch.present] + list(course.made)
            resent[batch.product_id] = {batch.product.images[row].image_file: ids for row in rows}
    return resent


def joined(items: Iterable[Item], memories: Iterable[tuple[int, Memory]]) -> Iterator[tuple[Item, Memory]]:
    """Each product, or batch, with what is remembered of it; both come in product order."""
    remembered = iter(memories)
    at, memory = next(remembered, (None, {}))
    for item in items:
        while at is not None and at < item.product_id:
            at, memory = next(remembered, (None, {}))
        yield item, memory if at == item.product_id else {}
