"""Stories told by hand, lived through like the drawn ones: what a soak has found, and what is too rare for it to find again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imageferry.jobs.sandbox.config import Config
from imageferry.jobs.sandbox.faults import Fault

from .draw import Night, Scenario
from .laws import breaches
from .runner import workplace
from .troubles import Deed, Doom
from .world import World, live

if TYPE_CHECKING:
    from imageferry.core.results import Report

    from .manifests import Row

SETTLE = 5.0


def story(nights: list[Night], galleries: dict[int, list[Row]], **habits: Any) -> World:
    """A story in a shop without quota, with habits where they matter; no law may be broken in it."""
    config = Config(products=0, store_hash="sim", access_token="sim", fetch=False, quota=None, latency=0.05, **habits)
    settings: dict[str, Any] = dict.fromkeys(("concurrency", "rate"))
    settings |= {"settle": SETTLE, "give_up_after": 600.0, "stall_after": 120.0, "max_deletes": "100%", "allow": True}
    with workplace() as folder:
        world = live(Scenario(1, config, galleries, nights, settings), folder)
    assert breaches(world) == []
    return world


def row(product: int, **images: int | None) -> Row:
    """A product's row of the manifest: its images by their names, with their sort orders where they are managed."""
    fields: dict[str, Row] = {name: {} if order is None else {"sort_order": order} for name, order in images.items()}
    return {
        "product_id": product,
        "images": [{"image_file": f"https://old.example.com/{product}/{name}.jpg", **fields[name]} for name in images],
    }


def rows(*products: int) -> list[Row]:
    """Two images for each of these products."""
    return [row(number, a=None, b=None) for number in products]


def gallery(**orders: int) -> list[Row]:
    """Return the initial images of a product: sort orders by name."""
    return [{"label": f"{name}.jpg", "description": "", "sort_order": order} for name, order in orders.items()]


def reports(world: World) -> tuple[Report, Report]:
    """Return the reports of the first and the last process."""
    first, last = world.starts[0].report, world.starts[-1].report
    assert first is not None
    assert last is not None
    return first, last


def unlisted_for_a_while(*more: Fault) -> tuple[Fault, ...]:
    """The first create of product 1 gets no answer, and the looks for it none either until they are given up; meanwhile others go well."""
    return (
        Fault("dropped_after", 1.0, ("POST",), "/products/1/", count=1),
        Fault("dropped_before", 1.0, ("GET",), "/products/1/", after=1, count=8),
        Fault("slow", 1.0, ("POST",), "/products/2/", delay=80.0),
        *more,
    )


def others_are_looked_at() -> tuple[Fault, ...]:
    """Product 3 is looked at last, too, and slowly: so that others go well while looks at product 1 fail."""
    return (
        Fault("dropped_after", 1.0, ("POST",), "/products/3/", count=1),
        Fault("slow", 1.0, ("GET",), "/products/3/", after=2, delay=80.0),
    )


def test_what_a_last_look_finds_is_gone_on_with() -> None:
    """A product that could not be listed for a while is finished by the last look, and not reported as failed."""
    world = story([Night("sync", rows(1, 2), noisy=True, faults=unlisted_for_a_while())], {1: [], 2: []})
    report, _ = reports(world)
    assert (report.outcome, report.created, report.adopted, report.failures) == ("done", 4, 1, [])


def test_a_product_that_can_not_be_listed_at_its_last_look_fails_alone() -> None:
    """An error after the final check found the image ends no run; the next run finishes the product."""
    again = (
        Fault("dropped_after", 1.0, ("POST",), "/products/1/", count=1),
        # After the survey's listing and the last look's, which go well.
        Fault("dropped_before", 1.0, ("GET",), "/products/1/", after=2),
        *others_are_looked_at(),
    )
    nights = [
        Night("sync", rows(1, 2, 3), noisy=True, faults=unlisted_for_a_while(*again)),
        Night("sync", rows(1, 2, 3), noisy=False),
    ]
    first, last = reports(story(nights, {1: [], 2: [], 3: []}))
    assert {failure.product_id for failure in first.failures} == {1}
    assert all("can't be listed" in failure.reason for failure in first.failures)
    assert (first.outcome, last.outcome, last.failed) == ("failed", "done", 0)


def test_a_twin_that_came_while_a_run_was_away_is_told_by_the_next() -> None:
    """A run that began at once after the one whose create was sent again, and was away for an hour, forgets nothing of it."""
    night = Night(
        "migrate",
        rows(1, 2),
        noisy=False,
        faults=(Fault("late_commit", 1.0, ("POST",), "/products/1/", count=1, delay=28.0),),
        # The first ends with its create on the way, the second does it all, the third ends when it has listed all.
        dooms=[Doom("wire", 8), Doom(), Doom("wire", 7, pause=4000.0)],
        # Else there would be nothing left to write.
        deeds=[Deed(12.5, "delete", 2, 0.0)],
    )
    world = story([night], {1: [], 2: []})
    told = [failure for start in world.starts if start.report for failure in start.report.failures]
    assert [start.ending for start in world.starts][:3] == ["Crashed", "done", "Crashed"]
    assert [(failure.product_id, failure.image_id) for failure in told] == [(1, 5)]


def test_what_was_made_before_a_look_failed_is_remembered() -> None:
    """On a store that loses names nothing but memory keeps the next run from making an image again."""
    faults = (
        Fault("dropped_before", 1.0, ("POST",), "/products/1/", count=1),
        # After the survey's listing and the two looks for the lost create.
        Fault("dropped_before", 1.0, ("GET",), "/products/1/", after=3, count=16),
        Fault("slow", 1.0, ("POST",), "/products/2/", delay=80.0),
        *others_are_looked_at(),
    )
    nights = [Night("migrate", rows(1, 2, 3), noisy=True, faults=faults), Night("migrate", rows(1, 2, 3), noisy=False)]
    first, last = reports(story(nights, {1: [], 2: [], 3: []}, names="lost"))
    assert (first.outcome, first.created, last.outcome, last.created) == ("failed", 6, "done", 0)


def test_a_late_listing_does_not_hide_what_a_put_moved() -> None:
    """A PUT of the order that an image has already moves the others; a listing in which nothing has moved is waited for."""
    learned = row(2, a=3, b=0, c=None)
    nights = [Night("sync", each, noisy=False) for each in ([learned], [row(1, b=None, c=0, d=None, a=0), learned])]
    galleries = {1: gallery(a=0, b=0, c=0, d=0), 2: gallery(a=0, b=1, c=6)}
    world = story(nights, galleries, renumber="always", list_lag=3.0)
    assert reports(world)[1].outcome == "done"
    assert [sent.product for sent in world.line.sent if sent.method == "PUT"] == [2, 2, 1]


def test_a_delete_that_nobody_can_tell_about_is_looked_at() -> None:
    """Its answers are lost, and so are those that would tell whether the image is gone: the listing decides, not a guess."""
    faults = (
        Fault("dropped_after", 1.0, ("DELETE",), "/products/1/"),
        Fault("dropped_before", 1.0, ("GET",), "/products/1/images/", count=8),
        # Others go well all the while.
        Fault("slow", 1.0, ("POST",), "/products/2/", delay=80.0),
    )
    wanted = [*rows(1), row(2, **dict.fromkeys("abcdef"))]
    night = Night("sync", wanted, noisy=True, faults=faults)
    report, _ = reports(story([night], {1: gallery(a=0, b=1, c=2), 2: []}))
    assert (report.outcome, report.deleted, report.failures) == ("done", 1, [])


def test_what_a_plan_has_paired_is_not_undone_by_an_older_memory() -> None:
    """Somebody put three images of one name in the place of one: the plan's choice among them is kept while it is carried out."""
    night = Night("apply without deletes", [row(1, b=0, a=0)], noisy=False)
    night.vandals = [Deed(0.0, "delete", 1, 0.0), *[Deed(0.0, "add", 1, 0.0, "a.jpg")] * 3]
    world = story([Night("migrate", [row(1, a=0)], noisy=False), night], {1: []})
    _, report = reports(world)
    assert (report.outcome, report.created, report.updated) == ("done", 1, 1)


def test_a_delete_that_fails_and_can_not_be_told_is_given_up() -> None:
    """One sick image is a failure that bears its id; it is neither sent for ever nor does it hold up the others."""
    faults = (
        Fault("dropped_before", 1.0, ("DELETE",), "/images/3", count=1),
        Fault("failed_before", 1.0, ("DELETE", "GET"), "/images/3", status=501),
        Fault("locked", 1.0, ("DELETE",), "/images/4"),
    )
    nights = [Night("sync", rows(1), noisy=True, faults=faults), Night("sync", rows(1), noisy=False)]
    first, last = reports(story(nights, {1: gallery(a=0, b=1, c=2, d=3)}))
    assert [(failure.image_id, failure.status) for failure in first.failures] == [(4, 423), (3, 501)]
    assert (first.deleted, last.outcome, last.deleted) == (0, "done", 2)


def test_a_twin_that_can_not_be_deleted_is_told() -> None:
    """The last look's delete in doubt is looked at, too: a twin that stands is no success."""
    faults = (
        Fault("late_commit", 1.0, ("POST",), "/products/1/", count=1, delay=25.0),
        Fault("slow", 1.0, ("POST",), "/products/2/", delay=60.0),
        Fault("dropped_before", 1.0, ("DELETE",), "/products/1/", count=1),
        Fault("failed_before", 1.0, ("DELETE", "GET"), "/products/1/images/", status=501),
    )
    nights = [Night("sync", rows(1, 2), noisy=True, faults=faults), Night("sync", rows(1, 2), noisy=False)]
    first, last = reports(story(nights, {1: [], 2: []}))
    assert [(failure.image_id, failure.status) for failure in first.failures] == [(4, 501)]
    assert (last.outcome, last.deleted) == ("done", 1)


def test_what_a_last_look_adopts_is_no_twin_of_itself() -> None:
    """On a store that loses names the only newcomer is the create's, and nothing else."""
    faults = (
        Fault("dropped_before", 1.0, ("POST",), "/products/1/", count=1),
        Fault("dropped_after", 1.0, ("POST",), "/products/1/", count=1),
        Fault("dropped_before", 1.0, ("GET",), "/products/1/", after=3, count=8),
        Fault("slow", 1.0, ("POST",), "/products/2/", delay=80.0),
    )
    night = Night("sync", [row(1, a=None), *rows(2)], noisy=True, faults=faults)
    report, _ = reports(story([night], {1: [], 2: []}, names="lost"))
    assert (report.outcome, report.created, report.adopted) == ("done", 3, 1)


def test_a_listing_is_no_witness_of_what_an_order_moved_that_the_store_kept_as_it_was() -> None:
    """The image that was written stands where it stood, and its siblings don't: a listing that lags shows neither."""
    nights = [Night("sync", [row(1, a=-1, b=1)], noisy=False)] * 2
    habits = {"orders": "not-negative", "renumber": "always", "list_lag": 1.0}
    first, last = reports(story(nights, {1: gallery(a=0, b=1)}, **habits))
    assert [(failure.field, failure.image_id) for failure in first.failures] == [("sort_order", 1)]
    assert (last.updated, last.failed) == (0, 1)


def test_a_store_that_numbers_its_galleries_anew_is_understood_within_one_run() -> None:
    """Images asked for at one number come to stand in the manifest's sequence, on a store that puts each in before the others."""
    nights = [Night("sync", [row(1, a=0, b=0, c=0, d=0, e=0, g=0, f=1)], noisy=False)] * 2
    habits = {"orders": "compacted", "renumber": "always"}
    first, last = reports(story(nights, {1: gallery(a=0, b=1, f=2, c=1, d=1, e=1, g=1)}, **habits))
    assert (first.outcome, first.failures) == ("done", [])
    assert last.updated == 0


def test_a_process_that_died_while_it_stood_still_wakes_no_later_one() -> None:
    """The next process stands still for as long as it was told to, whenever the former one would have gone on."""
    dooms = [Doom("turn", 3, pause=45.0)]
    world = story([Night("sync", rows(1, 2), noisy=True, dooms=dooms, nap=(2, 130.0))], {1: [], 2: []})
    former, later = world.starts[:2]
    assert former.ending == "Crashed"
    assert former.nap is not None
    assert later.nap is not None
    assert later.began < former.nap[1]
    assert later.ended > later.nap[1]


def test_the_same_command_given_again_at_once_writes_nothing_on_what_an_old_listing_says() -> None:
    """The former run's creates, updates and deletes are not listed yet: nothing is made, put or deleted a second time."""
    told = row(1, a=None)
    told["images"][0]["description"] = "the front"
    night = Night("sync", [told, row(2, b=None), row(3, c=None)], noisy=False)
    again = Night("sync", night.rows, noisy=False, at_once=True)
    galleries = {1: gallery(a=0), 2: gallery(b=0, x=1), 3: gallery()}
    world = story([night, again], galleries, list_lag=4.0)
    first, last = reports(world)
    assert (first.created, first.updated, first.deleted) == (1, 1, 1)
    assert (last.outcome, [call for call in world.line.sent if call.writes and call.night == 1]) == ("done", [])


def test_a_store_that_ignores_orders_is_known_for_each_image_of_a_product_after_one_run() -> None:
    """However many rounds that takes: the next night sends nothing."""
    nights = [Night("migrate", [row(1, n=0, a=1, d=2, c=3, o=4, p=5, q=6, r=7)], noisy=False)] * 2
    _, last = reports(story(nights, {1: gallery(a=0, b=1, c=2, d=3)}, orders="fixed"))
    assert last.updated == 0
