"""Finding the products of a store (store-api.md section 2)."""

import pytest

from imageferry.jobs.sandbox import Config

from .stores import opened


async def test_products_come_by_ascending_id(store):
    """A page of products has ids that grow."""
    ids = [each["id"] for each in (await store.call("GET", "/products?limit=3")).json]
    assert ids == sorted(ids)


async def test_a_keyset_walk_meets_every_product_once(store):
    """min_id of the last id plus one goes on where a page ended."""
    seen: list[int] = []
    while (answer := await store.call("GET", f"/products?limit=2&min_id={seen[-1] + 1 if seen else 1}")).status == 200:
        seen += [each["id"] for each in answer.json]
    assert len(seen) == len(set(seen)) == (await store.call("GET", "/products/count")).json["count"]


async def test_a_product_links_to_its_images(store):
    """The resource of the images stub can be followed."""
    shown = (await store.call("GET", f"/products/{store.product}")).json
    assert shown["images"]["resource"] == store.images


async def test_a_product_can_be_found_by_its_sku(store):
    """The sku filter finds one product; one that nobody has finds none."""
    sku = (await store.call("GET", f"/products/{store.product}")).json["sku"]
    found = await store.call("GET", "/products", params={"sku": sku})
    assert [each["id"] for each in found.json] == [store.product]
    assert (await store.call("GET", "/products?sku=nobody-has-this")).status == 204


async def test_the_primary_image_is_the_thumbnail(store):
    """Without one its id is 0 and its URLs are null."""
    path = f"/products/{store.product}"
    assert (await store.call("GET", path)).json["primary_image"]["id"] == 0
    made = await store.create()
    primary = (await store.call("GET", path)).json["primary_image"]
    assert primary["id"] == made["id"]
    assert primary["zoom_url"]


@pytest.mark.parametrize(
    ("query", "count"), [("", 300), ("?min_id=101", 200), ("?min_id=101&max_id=110", 10), ("?sku=SKU-7", 1)]
)
async def test_the_count_takes_the_filters_of_the_list(query, count):
    """Counting and listing agree."""
    async with opened(Config(products=300)) as (_, store):
        assert (await store.call("GET", f"/products/count{query}")).json == {"count": count}


@pytest.mark.parametrize(("query", "length"), [("", 50), ("?limit=250", 250), ("?limit=250&page=2", 50)])
async def test_a_page_of_products_holds_fifty_unless_more_are_asked_for(query, length):
    """Default 50, at most 250."""
    async with opened(Config(products=300)) as (_, store):
        assert len((await store.call("GET", f"/products{query}")).json) == length


async def test_products_can_be_shrunk_to_some_fields():
    """`include` names fields; a few are always there."""
    async with opened(Config(products=1)) as (_, store):
        kept = (await store.call("GET", "/products?include=sku")).json[0]
        assert kept.keys() == {"id", "name", "date_modified", "primary_image", "sku"}
        assert "sku" not in (await store.call("GET", "/products/1?exclude=sku,price")).json


async def test_a_filter_that_is_not_reproduced_is_refused():
    """A run that leans on one should not find that out later."""
    async with opened(Config(products=1)) as (_, store):
        assert (await store.call("GET", "/products?is_featured=true")).status == 400


async def test_products_come_and_go_while_the_store_runs():
    """A product that somebody adds or removes is listed accordingly."""
    async with opened(Config(products=3, images=2)) as (sandbox, store):
        await sandbox.control.edit("DELETE", "/products/2")
        await sandbox.control.edit("POST", "/products", {"id": 9, "sku": "NINE"})
        assert [each["id"] for each in (await store.call("GET", "/products")).json] == [1, 3, 9]
        assert (await store.call("GET", "/products?sku=NINE")).json[0]["id"] == 9
        assert (await store.call("GET", "/products/2/images")).status == 404
        assert (await store.call("GET", "/products/images/count")).json == {"count": 4}
