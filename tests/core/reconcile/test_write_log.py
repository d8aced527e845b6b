"""The writes to one product: when they were made, and when a listing is called for."""

import math

import pytest

from imageferry.core.checkpoint import events
from imageferry.core.checkpoint.ledger import Ledger
from imageferry.core.diff.changes import Changes, Create, Update
from imageferry.core.model import StoredImage, Wanted, WantedProduct
from imageferry.core.plan.batch import ProductPlan
from imageferry.core.reconcile import closing
from imageferry.core.reconcile.since_plan import is_outdated, merge_newer_identities
from imageferry.core.reconcile.write_log import WriteLog

SOURCE = "https://cdn.example.com/cup.jpg"
TEXT = Update(1, {"description": "new"}, {"description": ""})


def log_at(now, ledger=None):
    return WriteLog((ledger or Ledger()).course(7), [StoredImage(1, "cup.jpg")], now)


def plan(**more):
    product = WantedProduct(7, [Wanted(SOURCE)], 3)
    return ProductPlan(product, [], **{"changes": Changes(), "identities": {SOURCE: (1, None)}} | more)


@pytest.mark.parametrize(("kept", "asks"), [("new", False), ("new ", True)])
def test_an_answer_with_other_values_than_sent_asks_for_a_listing(kept, asks):
    """The store has made something of its own of it: what that did to the siblings only a listing shows."""
    log = log_at(0.0)
    log.confirm_update(StoredImage(1, "cup.jpg", kept), TEXT)
    assert log.relist is asks
    assert [write.description for write in log.written] == [kept]


def test_a_value_is_known_by_when_it_was_last_written():
    """The same field with another value may be written at once."""
    log = log_at(0.0)
    assert log.last_written([TEXT]) == -math.inf
    log.wrote_at = 5.0
    log.confirm_update(StoredImage(1, "cup.jpg", "new"), TEXT)
    assert log.last_written([TEXT]) == 5.0
    assert log.last_written([Update(1, {"description": "newer"}, {})]) == -math.inf


def test_the_writes_of_an_earlier_process_count_from_the_start_of_this_one():
    """The journal has no times."""
    ledger = Ledger()
    ledger.apply(events.sent(7, "update:1", fields=TEXT.fields))
    ledger.apply(events.outcome("confirmed", 7, "update:1"))
    assert log_at(30.0, ledger).last_written([TEXT]) == 30.0


def test_a_round_forgets_the_writes_before_it_and_keeps_the_times():
    """A listing explains what came before it."""
    log = log_at(0.0)
    log.confirm_update(StoredImage(1, "cup.jpg", "new"), TEXT)
    log.start_round([StoredImage(1, "cup.jpg", "new")])
    assert log.written == []
    assert log.last_written([TEXT]) == 0.0


def test_a_newer_identity_counts_unless_its_image_is_gone():
    """Of two the one that is there; the newer one if neither is."""
    for there, known in (([2], 2), ([1], 1), ([1, 2], 2), ([], 2)):
        batch = plan(newer_identities={SOURCE: (2, None)})
        merge_newer_identities(batch, [StoredImage(image_id, "cup.jpg") for image_id in there])
        assert batch.identities[SOURCE][0] == known


def test_a_plan_that_creates_what_is_known_to_be_there_is_outdated():
    """A create that was unconfirmed when the plan was made has been found since."""
    assert is_outdated(plan(changes=Changes([Create(0, {})])), [StoredImage(1, "cup.jpg")])
    assert not is_outdated(plan(changes=Changes([Create(0, {}, replaces=1)])), [StoredImage(1, "cup.jpg")])
    assert not is_outdated(plan(changes=Changes([Create(0, {})])), [StoredImage(4, "mug.jpg")])


def test_a_product_closes_with_its_identities_counts_and_last_listing():
    """The event has no failures if there are none, and no orders if the gallery was written to after the listing."""
    course = Ledger().course(7)
    event = closing.finished(plan(), course, [], own=None, listing=[StoredImage(1, "cup.jpg", "", 4)], lost_images=())
    assert event["images"] == {SOURCE: (1, None)}
    assert event["orders"] == [(1, 4)]
    assert "failures" not in event
    assert "orders" not in closing.finished(plan(), course, [], own=None, listing=None, lost_images=())
