"""The ledger of an interrupted run: refusals, finished and unfinished products."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from imageferry.core.checkpoint.events import outcome, sent
from imageferry.core.checkpoint.ledger import Ledger
from imageferry.core.diff.changes import Changes
from imageferry.core.model import StoredImage, Wanted, WantedProduct
from imageferry.core.plan.batch import ProductPlan
from imageferry.core.reconcile.doubts import match_unconfirmed
from imageferry.core.results import Failure, Report


def tell(*events: dict[str, Any]) -> Report:
    """The report of a run that had got as far as these events."""
    ledger, report = Ledger(), Report("status")
    for event in events:
        ledger.apply(event)
    ledger.fill(report)
    return report


def refusal(product_id: int, row: int, **more: Any) -> dict[str, Any]:
    told = {"status": 400, "reason": "no such picture", "image_file": f"{row}.jpg", "line": 7, **more}
    return outcome("refused", product_id, f"create:{row}", **told)


SENT = sent(5, "create:0", fields={})
REFUSED = refusal(5, 0)
OVER = {"event": "finished", "product_id": 5, "images": {}}
FAILED = {**OVER, "failures": [{"product_id": 5, "image_file": "0.jpg", "reason": "no such picture"}]}


def test_a_refused_image_of_an_unfinished_product_is_a_failure_by_name() -> None:
    """Counted and named with its source, its line, the status and the reason."""
    report = tell(SENT, REFUSED)
    (failure,) = report.failures
    assert (report.failed, failure.product_id, failure.image_file, failure.line) == (1, 5, "0.jpg", 7)
    assert (failure.status, failure.reason) == (400, "no such picture")


@pytest.mark.parametrize(
    ("then", "failed"),
    [
        ([SENT], 0),
        ([SENT, outcome("confirmed", 5, "create:0", image_id=1)], 0),
        ([outcome("found", 5, "create:0", image_id=1)], 0),
        ([SENT, REFUSED], 1),
        ([REFUSED], 1),
        ([refusal(5, 1)], 2),
        ([FAILED], 1),
        ([OVER], 0),
    ],
    ids=[
        "sent again",
        "made",
        "found",
        "refused again",
        "refused unsent",
        "another, unsent",
        "failed",
        "finished well",
    ],
)
def test_a_refusal_holds_until_something_else_came_of_it(then: list[dict[str, Any]], failed: int) -> None:
    """Sent again, made or found it is over; a product that is finished tells its failures itself."""
    report = tell(SENT, REFUSED, *then)
    assert report.failed == len(report.failures) == failed


def test_what_a_retried_product_is_refused_anew_is_told_beside_what_stands() -> None:
    """No image is told twice, and none that only the second try found out is left out."""
    ledger, report = Ledger(), Report("status")
    for event in (SENT, REFUSED, FAILED):
        ledger.apply(event)
    ledger.reopen(5)
    for event in (SENT, REFUSED, refusal(5, 1)):
        ledger.apply(event)
    ledger.fill(report)
    assert (report.failed, [failure.image_file for failure in report.failures]) == (2, ["0.jpg", "1.jpg"])


def test_a_refusal_journalled_without_its_image_still_counts() -> None:
    """As an earlier version wrote it."""
    report = tell(SENT, outcome("refused", 5, "create:0", status=400, reason="no"))
    assert (report.failed, report.failures[0].product_id, report.failures[0].reason) == (1, 5, "no")


def test_a_product_that_fails_again_is_known_by_what_it_made() -> None:
    """Doubted, looked at for the last time, failed, tried again, well, failed again: its course is still there."""
    ledger = Ledger()
    course = [
        {"event": "sent", "product_id": 1, "change": "create:0", "fields": {}},
        {"event": "lost", "product_id": 1, "change": "create:0", "reason": "gone"},
        {"event": "absent", "product_id": 1, "change": "create:0"},
        {"event": "sent", "product_id": 1, "change": "create:0", "fields": {}},
        {"event": "confirmed", "product_id": 1, "change": "create:0", "image_id": 7},
    ]
    well = {"event": "finished", "product_id": 1, "images": {"a": [7, None]}, "counts": [1, 0, 0, 0]}
    failed = {**well, "failures": [asdict(Failure(1, "a", 9, 1, None, None, "a second image"))]}
    settled = {"event": "settled", "product_id": 1}
    for event in (*course, well, failed, settled):
        ledger.apply(event)
    ledger.reopen(1)
    for event in (well, failed, settled):
        ledger.apply(event)
    assert ledger.courses[1].made == {7: 0}


LOST = [SENT, outcome("lost", 5, "create:0", reason="gone")]


@pytest.mark.parametrize(
    "before", [[], [*LOST, outcome("absent", 5, "create:0")]], ids=["found at once", "sent again, then found"]
)
def test_a_second_image_stands_in_for_the_one_that_somebody_took_away(before: list[dict[str, Any]]) -> None:
    """Two of the name came to be, the adopted one was deleted: the other is adopted, nothing is made again."""
    ledger = Ledger()
    for event in (*before, *LOST, outcome("found", 5, "create:0", image_id=7)):
        ledger.apply(event)
    batch = ProductPlan(WantedProduct(5, [Wanted("https://x.example/a.jpg")], 1), [], Changes(), {})
    first, second = (StoredImage(image_id, "k/1/a__12345.jpg", "", 0, is_thumbnail=False) for image_id in (7, 8))
    course = ledger.courses[5]
    assert match_unconfirmed(batch, course, [first, second], renames_files=False).found == {}
    assert match_unconfirmed(batch, course, [second], renames_files=False).found == {0: 8}
    assert match_unconfirmed(batch, course, [], renames_files=False).missing == []
    ledger.apply(outcome("found", 5, "create:0", image_id=8))
    assert course.made == {7: 0, 8: 0}


def test_a_refused_update_that_is_not_needed_any_more_is_neither_a_failure_nor_an_update() -> None:
    """A sibling's move has put the image where it was asked to be."""
    refused = outcome("refused", 5, "update:3", status=423, reason="locked", image_id=3)
    report = tell(sent(5, "update:3", fields={"sort_order": 1}), refused, outcome("absent", 5, "update:3"))
    assert (report.failed, report.updated) == (0, 0)
