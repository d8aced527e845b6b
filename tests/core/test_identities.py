"""Own values of the store: how they are remembered, how long, and their effect on the comparison."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from imageferry.core.checkpoint.events import outcome, sent
from imageferry.core.checkpoint.ledger import Ledger
from imageferry.core.diff.compare import compare
from imageferry.core.diff.renumbering import RenumberingModel
from imageferry.core.identities import IdentityMap, OwnValues, known_image, merge_own_values, read_known_image
from imageferry.core.model import StoredImage, Wanted, WantedProduct
from imageferry.core.plan.batch import product_plan
from imageferry.core.plan.lines import batch_line, read_line

SOURCES = ["https://x/a.jpg", "https://x/b.jpg", "https://x/c.jpg"]


def wanted(*orders: int | None, text: str | None = None) -> WantedProduct:
    """A product of as many images, in these orders."""
    images = [Wanted(source, text, order) for source, order in zip(SOURCES, orders, strict=False)]
    return WantedProduct(1, images, 1)


def present(*orders: int, text: str = "") -> list[StoredImage]:
    """Its images as they stand, with ids from 1."""
    return [StoredImage(n + 1, f"a/123/{'abc'[n]}__12345.jpg", text, order) for n, order in enumerate(orders)]


def remembered(*kept: OwnValues) -> IdentityMap:
    """The memory of them."""
    return {source: known_image(n + 1, None, each) for n, (source, each) in enumerate(zip(SOURCES, kept, strict=False))}


@pytest.mark.parametrize(
    "row",
    [[7, None], [7, "v2"], [7, None, {"description": ["a ", "a"]}], [7, None, {"later": ["?", "?"]}], [7, None, {}]],
    ids=str,
)
def test_an_entry_is_read_in_the_old_shape_and_in_the_new_one(row: list[Any]) -> None:
    """Two parts or three; what a newer program may have put into the third is passed over."""
    known = read_known_image(row)
    assert known[:2] == (7, row[1])
    assert known[2:] == (({"description": ("a ", "a")},) if "description" in (row[2:] or [{}])[0] else ())


def test_what_the_store_keeps_is_not_sent_again_and_is_told() -> None:
    """The text asked for and the text that stands are those remembered."""
    memory = remembered({"description": ("a ", "a")})
    found = compare(wanted(None, text="a "), present(0, text="a"), memory, delete_extra=True, model=RenumberingModel())
    assert not found.changes
    assert found.own == {0: {"description": ("a ", "a")}}
    assert found.identities == memory


@pytest.mark.parametrize(("asked", "stands"), [("b ", "a"), ("a ", "c")], ids=["asked anew", "changed in the store"])
def test_what_somebody_has_changed_is_compared_anew(asked: str, stands: str) -> None:
    """Another text in the manifest, or in the store, is sent, and what was remembered is forgotten."""
    memory = remembered({"description": ("a ", "a")})
    found = compare(
        wanted(None, text=asked), present(0, text=stands), memory, delete_extra=True, model=RenumberingModel()
    )
    assert [update.fields for update in found.changes.updates] == [{"description": asked}]
    assert (found.own, found.identities) == ({}, {SOURCES[0]: (1, None)})


@pytest.mark.parametrize(
    ("asked", "stand", "kept", "told"),
    [
        ([-5, 1], [0, 1], [(-5, 0), None], {0: (-5, 0)}),
        ([0, 0], [1, 0], [(0, 1), None], {0: (0, 1)}),
        ([0, 0, 0], [0, 0, 0], [(0, 0), None, None], {}),
        ([5, 6], [5, 6], [(5, 5), None], {}),
    ],
    ids=["raised", "among equals", "equals that are met", "as asked"],
)
def test_an_order_of_the_store_s_own_is_told_only_where_something_is_not_met(
    asked: list[int], stand: list[int], kept: list[tuple[int, int] | None], told: dict[int, tuple[int, int]]
) -> None:
    """An image that can't be moved is not arranged; where the manifest's order is met nothing is wrong."""
    memory = remembered(*({} if pair is None else {"sort_order": pair} for pair in kept))
    found = compare(wanted(*asked), present(*stand), memory, delete_extra=True, model=RenumberingModel())
    assert not found.changes
    assert found.own == {row: {"sort_order": pair} for row, pair in told.items()}


def test_what_is_asked_for_is_remembered_not_what_was_sent_for_it() -> None:
    """An order that was sent as 4 for the sake of its siblings, and kept as 1, is the manifest's 5; what was taken is no longer its own."""
    image = Wanted(SOURCES[0], "t", 5)
    former: OwnValues = {"description": ("t", "s")}
    assert merge_own_values(image, {"sort_order": (4, 1)}, former, {"sort_order"}) == {**former, "sort_order": (5, 1)}
    assert merge_own_values(image, {}, former, {"description"}) == {}
    assert merge_own_values(Wanted(SOURCES[0]), {"sort_order": (4, 1)}, {}, ()) == {}


def test_a_journal_tells_what_was_answered_and_how_often() -> None:
    """The last answer to each field holds; an update's answers are counted over the processes of a run."""
    ledger = Ledger()
    for own in ({"description": ["a ", "a"]}, {}):
        ledger.apply(sent(1, "update:7", fields={"description": "a "}, before={}))
        ledger.apply(outcome("confirmed", 1, "update:7", **({"own": own} if own else {})))
        assert ledger.course(1).own[7] == {name: tuple(pair) for name, pair in own.items()}
    assert ledger.course(1).confirmed(7) == 2


def test_a_plan_keeps_what_it_tells_of_the_store_s_own_values() -> None:
    """The failures and the memory of a batch come back from its line, and hold no delete back."""
    memory = remembered({"description": ("a ", "a")})
    product, there = wanted(None, text="a "), present(0, 1, text="a")
    batch = product_plan(
        product, there, compare(product, there, memory, delete_extra=True, model=RenumberingModel()), []
    )
    back = read_line(orjson.loads(batch_line(batch, 0, 0)))
    assert (back.skipped, back.identities, back.failures) == (batch.skipped, batch.identities, [])
    assert [(f.field, f.image_id) for f in back.skipped] == [("description", 1)]
    assert back.changes.deletes == [2]
