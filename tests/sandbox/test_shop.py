"""The shop's rules as tables: thumbnail, sort order, naming, what a listing still shows. No sockets, no clock."""

import pytest

from imageferry.jobs.sandbox.config import Config
from imageferry.jobs.sandbox.shop.catalog import Catalogue
from imageferry.jobs.sandbox.shop.rules import HIGHEST, Draft, Picture, Shop

PICTURE = Picture("made:x", "jpg")


def shop_with(orders=(), **switches):
    """Return a shop whose product 1 has images of these sort orders, with ids from 1."""
    shop = Shop(Config(**switches), Catalogue(1))
    for order in orders:
        shop.create(1, draft(sort_order=order), 0)
    return shop


def draft(name="photo.jpg", **fields):
    return Draft(name=name, picture=PICTURE, **fields)


def orders(shop):
    return [each.sort_order for each in shop.listed(1, 0)]


# image moved (by id), its new order, and what comes of (0, 1, 2) under each reading
MOVES = [
    (1, 2, [2, 1, 2], [2, 1, 3], [2, 1, 3]),
    (1, 1, [1, 1, 2], [1, 2, 3], [1, 2, 3]),
    (3, 0, [0, 1, 0], [0, 1, 0], [1, 2, 0]),
    (2, 1, [0, 1, 2], [0, 1, 2], [0, 1, 3]),
    (3, 9, [0, 1, 9], [0, 1, 9], [0, 1, 9]),
]


@pytest.mark.parametrize("reading", ["none", "raised", "always"])
@pytest.mark.parametrize("move", MOVES, ids=lambda move: f"{move[0]} to {move[1]}")
def test_siblings_move_up_as_the_reading_says(reading, move):
    """Never, when a PUT raises the order, or at every PUT."""
    shop = shop_with((0, 1, 2), renumber=reading)
    shop.update(1, move[0], Draft(sort_order=move[1]), 0)
    assert orders(shop) == move[2 + ["none", "raised", "always"].index(reading)]


@pytest.mark.parametrize(("switch", "result"), [(False, [0, 1, 0]), (True, [1, 2, 0])])
def test_a_new_image_moves_siblings_only_if_switched_on(switch, result):
    """POST shifts nothing by default."""
    shop = shop_with(renumber_on_create=switch)
    for order in (0, 1):
        shop.create(1, draft(sort_order=order), 0)
    shop.create(1, draft(sort_order=0), 0)
    assert orders(shop) == result


def test_lowest_to_highest_is_safe_and_highest_to_lowest_is_not():
    """The plan that store-api.md 1.6 recommends ends as asked where its reverse does not."""
    wanted = {1: 0, 2: 5, 3: 9}
    for backwards, result in ((False, [0, 5, 9]), (True, [0, 5, 10])):
        shop = shop_with((0, 0, 0))
        for image, order in sorted(wanted.items(), reverse=backwards):
            shop.update(1, image, Draft(sort_order=order), 0)
        assert orders(shop) == result


def test_moving_up_ends_at_the_highest_number():
    """int32 is not left."""
    shop = shop_with((0, HIGHEST))
    shop.update(1, 1, Draft(sort_order=HIGHEST), 0)
    assert orders(shop) == [HIGHEST, HIGHEST]


@pytest.mark.parametrize(("switch", "result"), [("zero", [4, 0]), ("last", [4, 5])])
def test_an_image_without_an_order_goes_where_the_switch_says(switch, result):
    """To 0, or after all others."""
    shop = shop_with((4,), unsorted=switch)
    shop.create(1, draft(), 0)
    assert orders(shop) == result


@pytest.mark.parametrize(("switch", "result"), [(False, []), (True, [3])])
def test_after_the_thumbnail_is_deleted_another_is_promoted_only_if_switched_on(switch, result):
    """The image of the lowest order, if any."""
    shop = shop_with((0, 7, 3), promote_after_delete=switch)
    shop.delete(1, [1], 0)
    assert [each.image_id for each in shop.listed(1, 0) if each.is_thumbnail] == result


def test_nothing_is_promoted_where_no_thumbnail_was_lost():
    """Explicit false outlasts the deletion of a sibling."""
    shop = shop_with(promote_after_delete=True)
    for _ in range(2):
        shop.create(1, draft(is_thumbnail=False), 0)
    shop.delete(1, [1], 0)
    assert not shop.listed(1, 0)[0].is_thumbnail


def test_a_thumbnail_can_be_given_up():
    """Explicit false on the thumbnail leaves the product without one."""
    shop = shop_with((0, 1))
    shop.update(1, 1, Draft(is_thumbnail=False), 0)
    assert shop.catalogue.look(1).thumbnail() is None


def test_a_replaced_picture_gets_a_new_name_and_keeps_its_id():
    """PUT with a picture renames."""
    shop = shop_with((0,))
    before = shop.listed(1, 0)[0].image_file
    after = shop.update(1, 1, draft("other.png"), 5)
    assert (after.image_id, after.modified) == (1, 5)
    assert "/other__" in after.image_file
    assert shop.catalogue.by_file(before) is None
    assert shop.catalogue.by_file(after.image_file)[1] is after


def test_a_put_of_a_picture_can_be_ignored():
    """The no-op update that has been reported: answered well, nothing changed."""
    shop = shop_with((0,), put_picture="ignored")
    before = shop.listed(1, 0)[0].image_file
    assert shop.update(1, 1, draft("other.png"), 5).image_file == before


TEXTS = {
    "kept": ({}, " a & b "),
    "trimmed": ({"descriptions": "trimmed"}, "a & b"),
    "escaped": ({"descriptions": "escaped"}, " a &amp; b "),
    "cut off": ({"description_length": 3}, " a "),
    "trimmed, then cut off": ({"descriptions": "trimmed", "description_length": 3}, "a &"),
}


@pytest.mark.parametrize(("switches", "kept"), TEXTS.values(), ids=TEXTS)
def test_a_description_is_kept_or_changed_as_the_switch_says(switches, kept):
    """By a POST and by a PUT alike, and the answer shows it."""
    shop = shop_with((), **switches)
    made = shop.create(1, draft(description=" a & b "), 0)
    assert made.description == kept
    assert shop.update(1, made.image_id, Draft(description=" a & b "), 0).description == kept


ORDERS = {
    "kept": ("kept", [-5, 1, 7]),
    "negative ones raised": ("not-negative", [0, 1, 7]),
    "compacted": ("compacted", [0, 1, 2]),
    "fixed": ("fixed", [0, 1, 3]),
}


@pytest.mark.parametrize(("switch", "result"), ORDERS.values(), ids=ORDERS)
def test_a_sort_order_is_kept_or_changed_as_the_switch_says(switch, result):
    """A PUT of -5 to the first image, of 7 to the last one, in a shop that moves no siblings."""
    shop = shop_with((0, 1, 3), renumber="none")
    shop.config.orders = switch
    first, _, last = shop.catalogue.look(1).images
    for image, order in ((first, -5), (last, 7)):
        shop.update(1, image.image_id, Draft(sort_order=order), 0)
    assert orders(shop) == result


def test_listings_lag_behind_writes_by_the_switch():
    """What is written shows later in lists, at once by id."""
    shop = Shop(Config(list_lag=2.0), Catalogue(1))
    shop.create(1, draft(), 10.0)
    shop.create(1, draft(), 11.0)
    assert [len(shop.listed(1, now)) for now in (11.9, 12.0, 12.9, 13.0)] == [0, 1, 1, 2]
    shop.update(1, 1, Draft(description="late"), 20.0)
    assert shop.listed(1, 21.9)[0].description == ""
    assert shop.listed(1, 22.0)[0].description == "late"
    assert shop.catalogue.look(1).image(1).description == "late"


def test_a_made_up_catalogue_costs_nothing_until_it_is_written_to():
    """A quarter of a million products are numbers until one is changed."""
    shop = Shop(Config(), Catalogue(250_000, 4))
    assert shop.catalogue.total_images == 1_000_000
    last = shop.listed(250_000, 0)
    assert [each.image_id for each in last] == [999_997, 999_998, 999_999, 1_000_000]
    assert not shop.catalogue.opened
    assert shop.create(7, draft(), 0).image_id == 1_000_001
    assert list(shop.catalogue.opened) == [7]


def test_made_up_images_are_found_by_their_file():
    """The name leads back to product and image."""
    shop = Shop(Config(), Catalogue(9, 3, seed=4))
    for product in shop.catalogue.all():
        for image in product.images:
            found = shop.catalogue.by_file(image.image_file)
            assert (found[0].product_id, found[1].image_id) == (product.product_id, image.image_id)


def test_a_seed_decides_names():
    """The same seed gives the same names, another one others."""
    first, again, other = (Shop(Config(), Catalogue(1, 3, seed)).listed(1, 0) for seed in (1, 1, 2))
    assert [each.image_file for each in first] == [each.image_file for each in again]
    assert [each.image_file for each in first] != [each.image_file for each in other]
