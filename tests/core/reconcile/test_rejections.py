"""What the store refused of one product: what the next listing makes of it, and what is held back for it."""

import pytest

from imageferry.core.checkpoint import events
from imageferry.core.checkpoint.ledger import Ledger
from imageferry.core.diff.changes import Changes, Update
from imageferry.core.errors import RefusedError
from imageferry.core.model import StoredImage, Wanted, WantedProduct
from imageferry.core.plan.batch import ProductPlan
from imageferry.core.plan.failures import row_failure
from imageferry.core.reconcile.rejections import Rejections
from imageferry.core.reconcile.remaining import MAX_PASSES

SOURCE = "https://cdn.example.com/cup.jpg"
REFUSED = RefusedError("the description is too long", 422)


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def plan():
    return ProductPlan(
        WantedProduct(7, [Wanted(SOURCE)], 3), [StoredImage(1, "cup.jpg")], Changes(), {SOURCE: (1, None)}
    )


@pytest.fixture
def rejections(plan, ledger):
    return Rejections(plan, ledger.course(7))


def text(image_id):
    return Update(image_id, {"description": "new"}, {"description": ""})


def tell(ledger, kind, change, **more):
    ledger.apply(events.outcome(kind, 7, change, **more))


def test_a_refused_update_that_is_still_needed_fails_and_is_not_sent_again(ledger, rejections):
    """The image stays as it is, and nothing of the product is deleted."""
    tell(ledger, "sent", "update:1", fields={"description": "new"})
    tell(ledger, "refused", "update:1", reason=REFUSED.reason, status=422)
    rejections.updates[1] = REFUSED
    left = Changes(updates=[text(1), text(2)], deletes=[9])
    assert rejections.judge(left) == []
    rejections.drop_rejected(left)
    assert [update.image_id for update in left.updates] == [2]
    assert left.deletes == []
    assert [(failure.image_id, failure.image_file, failure.status) for failure in rejections.failures] == [
        (1, SOURCE, 422)
    ]


def test_a_refused_update_that_is_no_longer_needed_is_noted_as_absent(ledger, rejections):
    """Others have made the change meanwhile: there is no failure, and deletes may go on."""
    tell(ledger, "sent", "update:1", fields={"description": "new"})
    tell(ledger, "refused", "update:1", reason=REFUSED.reason, status=422)
    rejections.updates[1] = REFUSED
    left = Changes(deletes=[9])
    assert rejections.judge(left) == ["update:1"]
    rejections.drop_rejected(left)
    assert left.deletes == [9]
    assert not rejections.failures
    assert not rejections.hold_deletes()


@pytest.mark.parametrize(("outcome", "failed"), [("found", []), ("absent", [9])])
def test_an_unconfirmed_delete_fails_only_if_the_image_is_still_there(ledger, rejections, outcome, failed):
    """The refusal may have come after a try that did it."""
    tell(ledger, "sent", "delete:9")
    tell(ledger, "lost", "delete:9")
    tell(ledger, outcome, "delete:9")
    rejections.unconfirmed_deletes[9] = REFUSED
    rejections.judge(Changes())
    assert [failure.image_id for failure in rejections.failures] == failed


@pytest.mark.parametrize(("times", "dropped"), [(MAX_PASSES, False), (MAX_PASSES + 1, True)])
def test_an_update_confirmed_too_often_without_effect_fails(ledger, rejections, times, dropped):
    """The store says yes each time and does not do it: other images of the product go on."""
    for _ in range(times):
        tell(ledger, "sent", "update:1", fields={"description": "new"})
        tell(ledger, "confirmed", "update:1")
    left = Changes(updates=[text(1), text(2)], deletes=[9])
    rejections.drop_repeated(left)
    assert [update.image_id for update in left.updates] == ([2] if dropped else [1, 2])
    assert bool(rejections.failures) is dropped
    assert left.deletes == ([] if dropped else [9])


def test_a_refused_create_whose_image_appears_is_no_failure(plan, rejections):
    """Its first try had happened, and its second was refused."""
    rejections.creates.add(0)
    rejections.failures.append(row_failure(plan, 0, "could not be downloaded", 422))
    assert rejections.hold_deletes()
    rejections.withdraw_create(0)
    assert not rejections.failures
    assert not rejections.hold_deletes()
