"""What a run learned of which source is which image: read from its plan and journal, product by product, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

import orjson

from ...core.checkpoint.records import is_whole
from ...core.identities import known_image, own_values_of
from ...core.reconcile.duplicates import retried_in
from ...core.reconcile.remaining import identities_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ...core.checkpoint.ledger import Ledger
    from ...core.identities import IdentityMap
    from ...core.model import WantedProduct
    from ...core.plan.batch import ProductPlan
    from ...core.reconcile.duplicates import RetriedCreates
    from ..interface import Disk
    from ..plan_file import PlanFile


class _Listed(NamedTuple):
    """What a plan's listing told of a product."""

    product_id: int
    images: IdentityMap


Item = TypeVar("Item", "WantedProduct", "ProductPlan", _Listed)
_FINISHED = b'{"event":"finished"'


def learned_identities(
    disk: Disk,
    journal: Path,
    plan: PlanFile,
    ledger: Ledger,
    *,
    newer: Iterable[tuple[int, IdentityMap]] | None = None,
    forget_missing: bool = False,
) -> Iterator[tuple[int, IdentityMap]]:
    """The listing's pairs, then the finished products', then those of products under way; of several the last holds.

    Where something `newer` than the plan's listing is known, the plan's own pairs add no more to it than versions. With
    `forget_missing` nothing is remembered of the products that the store hadn't (404).
    """
    listed = (_Listed(row["product_id"], row["images"]) for row, _ in plan.rows() if "images" in row)
    yield from listed if newer is None else _versions(listed, newer)
    for line in disk.lines(journal):
        if line.startswith(_FINISHED) and is_whole(line):
            row = orjson.loads(line)
            yield row["product_id"], row["images"]
    under_way = ledger.courses.keys() - ledger.finished
    if under_way:
        for batch in plan.batches():
            if batch.product_id in under_way:
                yield batch.product_id, identities_after(batch, ledger.courses[batch.product_id])
    if forget_missing and plan.summary.missing:
        yield from ((row["product_id"], {}) for row, _ in plan.rows() if row.get("missing"))


def _versions(listed: Iterable[_Listed], newer: Iterable[tuple[int, IdentityMap]]) -> Iterator[tuple[int, IdentityMap]]:
    """What is known of each product, with the version that the plan tells of the same image where none is known."""
    for product, memory in joined(listed, newer):
        told = {
            source: known_image(pair[0], pair[1], own_values_of(memory[source]))
            for source, pair in product.images.items()
            if memory.get(source, ())[:2] == (pair[0], None)
        }
        if told:
            yield product.product_id, memory | told


def retried_by(plan: PlanFile, ledger: Ledger) -> dict[int, RetriedCreates]:
    """The creates that an unfinished run sent again after a look in vain, with the images that it knew of then."""
    if not any(course.may_have_duplicates() for course in ledger.courses.values()):
        return {}
    resent: dict[int, RetriedCreates] = {}
    for batch in plan.batches():
        course = ledger.courses.get(batch.product_id)
        if course is not None and (again := retried_in(batch, course)):
            resent[batch.product_id] = again
    return resent


def joined(items: Iterable[Item], memories: Iterable[tuple[int, IdentityMap]]) -> Iterator[tuple[Item, IdentityMap]]:
    """Each product, or batch, with what is remembered of it; both come in product order."""
    remembered = iter(memories)
    at, memory = next(remembered, (None, {}))
    for item in items:
        while at is not None and at < item.product_id:
            at, memory = next(remembered, (None, {}))
        yield item, memory if at == item.product_id else {}
