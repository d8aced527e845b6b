"""The seven operations on images: what a store does with them (store-api.md sections 0, 1.1, 1.2, 1.4)."""

import re

import pytest


async def test_a_product_without_images_lists_as_204_with_nothing_in_it(store):
    """An empty list is no JSON at all."""
    answer = await store.call("GET", store.images)
    assert (answer.status, answer.body) == (204, b"")
    assert "Content-Type" not in answer.headers


async def test_a_page_past_the_end_is_204(store):
    """Paging ends with an empty answer."""
    await store.create()
    assert (await store.call("GET", f"{store.images}?page=2")).status == 204


async def test_a_created_image_is_answered_with_201_and_listed(store):
    """What POST says is what GET shows."""
    made = await store.create(description="Front", sort_order=4, is_thumbnail=True)
    assert made["product_id"] == store.product
    (listed,) = await store.listed()
    shown = {name: listed[name] for name in ("id", "description", "sort_order", "is_thumbnail", "image_file")}
    assert shown == {name: made[name] for name in shown}
    assert (listed["description"], listed["sort_order"], listed["is_thumbnail"]) == ("Front", 4, True)


async def test_an_image_can_be_had_by_its_id(store):
    """GET of one image shows what the list shows."""
    made = await store.create()
    answer = await store.call("GET", f"{store.images}/{made['id']}")
    assert answer.status == 200
    assert answer.json == (await store.listed())[0]


async def test_no_description_is_empty_or_null_never_missing(store):
    """An image without a description reads as one with an empty one."""
    made = await store.create()
    assert not made["description"]
    assert not (await store.listed())[0]["description"]


async def test_dates_are_rfc_2822_in_utc(store):
    """Dates end in +0000."""
    made = await store.create()
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", made["date_created"])


async def test_lists_are_sorted_by_id_whatever_the_sort_order(store):
    """The list knows ids only."""
    made = [(await store.create(sort_order=order))["id"] for order in (5, 1, 3)]
    assert [each["id"] for each in await store.listed()] == sorted(made)


async def test_a_page_holds_as_many_as_its_limit(store):
    """Pages count from 1 and don't overlap."""
    made = [(await store.create())["id"] for _ in range(5)]
    pages = [(await store.call("GET", f"{store.images}?page={n}&limit=2")).json for n in (1, 2, 3)]
    assert [[each["id"] for each in page] for page in pages] == [made[:2], made[2:4], made[4:]]


async def test_an_update_changes_what_it_names_and_nothing_else(store):
    """PUT is a partial update."""
    made = await store.create(description="Front", sort_order=2)
    answer = await store.call("PUT", f"{store.images}/{made['id']}", {"description": "Back"})
    assert answer.status == 200
    assert answer.json["description"] == "Back"
    (after,) = await store.listed()
    assert (after["sort_order"], after["image_file"]) == (2, made["image_file"])


async def test_an_update_can_empty_a_description(store):
    """An empty text is a value."""
    made = await store.create(description="Front")
    await store.call("PUT", f"{store.images}/{made['id']}", {"description": ""})
    assert not (await store.listed())[0]["description"]


async def test_a_deleted_image_is_gone(store):
    """DELETE answers 204, and 404 from then on."""
    made = await store.create()
    path = f"{store.images}/{made['id']}"
    assert (await store.call("DELETE", path)).status == 204
    assert (await store.call("GET", path)).status == 404
    assert (await store.call("DELETE", path)).status == 404
    assert await store.listed() == []


async def test_delete_many_and_list_until_empty_empties_a_product(store):
    """The loop that is right whether one call deletes a page or all."""
    for _ in range(3):
        await store.create()
    for _ in range(5):
        if not await store.listed():
            break
        assert (await store.call("DELETE", store.images)).status == 204
    assert await store.listed() == []


async def test_the_count_is_of_the_whole_store(store):
    """The count goes up with each image."""
    before = (await store.call("GET", "/products/images/count")).json["count"]
    await store.create()
    assert (await store.call("GET", "/products/images/count")).json == {"count": before + 1}


async def test_an_id_is_never_given_twice(store):
    """Ids grow, past deleted ones too."""
    first = await store.create()
    await store.call("DELETE", f"{store.images}/{first['id']}")
    assert (await store.create())["id"] > first["id"]


async def test_the_same_picture_twice_is_two_images(store):
    """Nothing is deduplicated: each POST makes an image."""
    first, second = await store.create(), await store.create()
    assert first["id"] != second["id"]
    assert first["image_file"] != second["image_file"]


async def test_the_stored_name_is_of_the_source_with_a_suffix(store):
    """The name lies in two folders and ends in five digits before its extension."""
    made = await store.create()
    assert re.fullmatch(r"[a-z]/\d{3}/[A-Za-z0-9._-]+__\d{5}\.[a-z]+", made["image_file"])


async def test_renditions_are_shown_by_get_alone(store):
    """POST's answer has no URLs of renditions; GET's has four."""
    made = await store.create()
    names = {"zoom_url", "thumbnail_url", "standard_url", "tiny_url"}
    assert not names & made.keys()
    assert names <= (await store.listed())[0].keys()


@pytest.mark.parametrize("flag", [True, False], ids=["asked for", "refused"])
async def test_an_explicit_thumbnail_flag_is_kept(store, flag):
    """Even a lone image can be no thumbnail."""
    assert (await store.create(is_thumbnail=flag))["is_thumbnail"] is flag
    assert (await store.listed())[0]["is_thumbnail"] is flag


async def test_the_first_image_becomes_the_thumbnail_if_nothing_is_said(store):
    """A lone image is the main one; the second isn't."""
    assert (await store.create())["is_thumbnail"] is True
    assert (await store.create())["is_thumbnail"] is False


async def test_a_product_has_one_thumbnail(store):
    """A new thumbnail takes the flag from the old one, by POST and by PUT."""
    first = await store.create()
    second = await store.create(is_thumbnail=True)
    flags = {each["id"]: each["is_thumbnail"] for each in await store.listed()}
    assert flags == {first["id"]: False, second["id"]: True}
    await store.call("PUT", f"{store.images}/{first['id']}", {"is_thumbnail": True})
    flags = {each["id"]: each["is_thumbnail"] for each in await store.listed()}
    assert flags == {first["id"]: True, second["id"]: False}


async def test_a_new_order_by_puts_from_lowest_to_highest_ends_as_asked(store):
    """The order of writing that is right under every reading of the renumbering."""
    ids = [(await store.create(sort_order=n))["id"] for n in range(3)]
    wanted = {ids[2]: 0, ids[0]: 1, ids[1]: 2}
    for image, order in sorted(wanted.items(), key=lambda each: each[1]):
        await store.call("PUT", f"{store.images}/{image}", {"sort_order": order})
    ranked = sorted((order, image) for image, order in (await store.orders()).items())
    assert [image for _, image in ranked] == sorted(wanted, key=wanted.__getitem__)
