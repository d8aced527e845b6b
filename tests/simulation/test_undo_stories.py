"""Stories of undos and of runs that another command settles, told by hand: what the soak has found."""

from __future__ import annotations

from typing import Any

import pytest

from .draw import Night
from .evidence import Evidence
from .test_stories import gallery, row, story
from .troubles import Doom
from .undo_nights import Undo


def replaced(products: int) -> tuple[list[Any], dict[int, Any]]:
    """Two new images for each product in the place of its two old ones: the manifest, and the galleries before it."""
    rows = [row(number, c=None, d=None) for number in range(1, products + 1)]
    return rows, {number: gallery(a=0, b=1) for number in range(1, products + 1)}


@pytest.mark.parametrize("commits", [1, 3, 7])
def test_an_undo_that_is_planned_anew_takes_no_product_for_taken_back_that_was_only_settled(commits: int) -> None:
    """Killed while many creates are out, then given again without --allow-loss: each gallery is as it was."""
    rows, before = replaced(6)
    run = Night("sync", rows, noisy=False, backup=True)
    killed = Night("undo", rows, noisy=True, undo=Undo(True, allow_loss=True), dooms=[Doom("commit", commits)], most=1)
    again = Night("undo", rows, noisy=False, undo=Undo(True))
    world = story([run, killed, again, Night("sync", rows, noisy=False)], before, write_latency=1.0)
    undone = next(start for start in world.starts if start.night == 2)
    assert undone.ending == "done"
    case = Evidence(world)
    labels = [shown.label for number in before for shown in case.gallery(number, undone.ended)]
    assert sorted(labels) == ["a.jpg"] * 6 + ["b.jpg"] * 6


@pytest.mark.parametrize("acts", range(10, 22, 3))
def test_what_another_command_had_only_settled_is_still_done_by_the_first_one_given_again(acts: int) -> None:
    """sync is killed while many creates are out, migrate is killed when it has settled them, sync is given again."""
    rows, before = replaced(6)
    killed = Night("sync", rows, noisy=True, dooms=[Doom("commit", 3)], most=1)
    settling = Night("migrate", rows, noisy=True, dooms=[Doom("disk", acts)], most=1)
    world = story([killed, settling, Night("sync", rows, noisy=True)], before, write_latency=1.0)
    assert [len(world.shop.gallery(number)) for number in before] == [2] * 6


@pytest.mark.parametrize("acts", range(50, 58))
def test_an_undo_that_is_killed_at_its_end_and_given_again_has_taken_the_run_back(acts: int) -> None:
    """Whatever of the run's history is gone by then: it is told that nothing is left to undo, and not that a part is missing."""
    rows, before = [row(1, c=None)], {1: gallery(a=0)}
    run = Night("sync", rows, noisy=False, backup=True)
    undo = Night("undo", rows, noisy=True, undo=Undo(True), dooms=[Doom("disk", acts)])
    world = story([run, undo, Night("sync", rows, noisy=False)], before)
    assert [start.ending for start in world.starts if start.night == 1][-1] == "done"


def test_an_undo_right_after_its_run_waits_for_listings_that_show_what_that_did() -> None:
    """Else it would find nothing of it to take back, say so, and close the run for good."""
    rows, before = [row(1, n=None), row(2)], {1: gallery(), 2: gallery(x=0)}
    run = Night("sync", rows, noisy=False, backup=True)
    undo = Night("undo", rows, noisy=False, undo=Undo(True), at_once=True)
    world = story([run, undo, Night("sync", rows, noisy=False)], before, list_lag=4.5)
    undone = next(start for start in world.starts if start.night == 1)
    assert undone.report is not None
    assert (undone.report.created, undone.report.deleted) == (1, 1)
