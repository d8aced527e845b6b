"""Listings right after a run: of which images they may tell what is over by now."""

from imageferry.core.checkpoint.states import ProductLedger
from imageferry.core.diff.changes import Changes, Create, Difference, Update
from imageferry.core.reconcile.early import to_confirm


def difference() -> Difference:
    """1 to be put, 2 to be replaced, 3 to be deleted, and 4 paired for the first time."""
    changes = Changes([Create(0, {}, replaces=2)], [Update(1, {}, {})], [3])
    return Difference(changes, {0: 1, 1: 4}, {}, [])


def test_where_nobody_knows_what_the_former_run_wrote_each_image_is_asked_for() -> None:
    """Neither its number of calls nor its age can be told from the listing."""
    assert to_confirm(difference(), {1, 2}, None) == {1, 2, 3, 4}


def test_a_product_in_which_nothing_was_written_is_listed_as_it_is() -> None:
    """A retry of what failed costs its listings and its writes, no more."""
    assert to_confirm(difference(), {1, 2}, ProductLedger()) == set()


def test_a_text_concerns_its_image_alone_and_whatever_moves_images_all_that_would_be_written() -> None:
    """What was deleted may still be listed; what was made, moved, or took the thumbnail may have changed its siblings."""
    assert to_confirm(difference(), {1, 2}, ProductLedger(written={1: {"description"}})) == {1}
    assert to_confirm(difference(), {1, 2}, ProductLedger(written={9: {"sort_order"}})) == {1, 2}
    assert to_confirm(difference(), {1, 2}, ProductLedger(made={9: 0})) == {1, 2}
    assert to_confirm(difference(), {1, 2}, ProductLedger(deleted={3, 4})) == {1, 2, 3, 4}
