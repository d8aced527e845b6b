"""Every reading of what the documentation leaves open can be played (store-api.md section 7)."""

from io import BytesIO

import pytest
from aiohttp import web

from imageferry.jobs.sandbox import Config

from .stores import drawn, opened

EMPTY = {"204": (204, b""), "list": (200, b"[]"), "null": (200, b"null")}


@pytest.mark.parametrize(("switch", "answer"), EMPTY.items(), ids=EMPTY)
async def test_an_empty_list_is_said_in_one_of_three_ways(switch, answer):
    """Images and products alike."""
    async with opened(Config(products=1, empty=switch)) as (_, store):
        for path in (store.images, "/products?min_id=2"):
            said = await store.call("GET", path)
            assert (said.status, said.body) == answer


async def test_a_limit_above_250_is_413_or_clamped():
    """Refused as an array error, or taken for 250."""
    async with opened(Config(products=1, images=300)) as (sandbox, store):
        refused = await store.call("GET", f"{store.images}?limit=251")
        assert (refused.status, refused.json[0]["status"]) == (413, 413)
        sandbox.config.over_limit = "clamp"
        assert len((await store.call("GET", f"{store.images}?limit=999")).json) == 250


async def test_a_store_may_serve_fifty_whatever_is_asked():
    """The page after a capped one goes on where it ended."""
    async with opened(Config(products=1, images=120, page_cap=50)) as (_, store):
        pages = [(await store.call("GET", f"{store.images}?limit=250&page={n}")).json for n in (1, 2, 3)]
        assert [len(each) for each in pages] == [50, 50, 20]
        assert pages[1][0]["id"] == 51


DELETES = {
    "a page of fifty": ("page", "", list(range(51, 121))),
    "a page of 100": ("page", "?limit=100", list(range(101, 121))),
    "the second page": ("page", "?limit=100&page=2", list(range(1, 101))),
    "all": ("all", "", []),
}


@pytest.mark.parametrize(("switch", "query", "left"), DELETES.values(), ids=DELETES)
async def test_delete_many_removes_a_page_or_all(switch, query, left):
    """One call, one page, unless switched."""
    async with opened(Config(products=1, images=120, delete_many=switch)) as (_, store):
        assert (await store.call("DELETE", store.images + query)).status == 204
        assert [each["id"] for each in await store.listed()] == left


async def test_deleting_from_a_product_without_images_is_204():
    """There is nothing to do."""
    async with opened(Config(products=1)) as (_, store):
        assert (await store.call("DELETE", store.images)).status == 204


async def test_a_store_may_insist_on_image_file_in_a_put():
    """Then an update without it is refused."""
    async with opened(Config(products=1, images=1, put_needs_image_file=True, fetch=False)) as (_, store):
        refused = await store.call("PUT", f"{store.images}/1", {"sort_order": 3})
        assert (refused.status, refused.message) == (400, "The required field 'image_file' was not supplied.")
        taken = await store.call("PUT", f"{store.images}/1", {"sort_order": 3, "image_file": store.picture})
        assert taken.status == 200


async def test_each_kind_of_source_can_be_switched_off():
    """A URL is then a file that isn't there, a form is 415, and JSON is 415 where only forms are taken."""
    async with opened(Config(products=1, fetch=False)) as (sandbox, store):
        (sandbox.import_folder / "a.png").write_bytes(drawn())
        sandbox.config.url_sources = False
        refused = await store.call("POST", store.images, {"image_file": store.picture})
        assert (refused.status, "is missing or is not usable" in refused.json[0]["details"]["invalid_reason"]) == (
            400,
            True,
        )
        sandbox.config.import_sources = False
        assert (await store.call("POST", store.images, {"image_file": "a.png"})).status == 415
        sandbox.config.upload_sources = False
        form = {"image_file": BytesIO(drawn())}
        assert (await store.call("POST", store.images, data=form)).status == 415


async def test_a_write_meets_409_where_the_store_forbids_parallel_ones(pictures):
    """One write a product at a time; other products aren't in the way."""
    second: list[int] = []

    async def slow(_request):
        store = stores[0]
        second.append((await store.call("PUT", "/products/1/images/1", {"sort_order": 5})).status)
        second.append((await store.call("PUT", "/products/2/images/2", {"sort_order": 5})).status)
        return web.Response(body=drawn())

    stores = []
    pictures.answers["/slow.jpg"] = slow
    async with opened(Config(products=2, images=1, parallel_writes="conflict")) as (_, store):
        stores.append(store)
        assert (await store.call("POST", store.images, {"image_file": f"{pictures.url}/slow.jpg"})).status == 201
        assert second == [409, 200]
        assert (await store.call("PUT", "/products/1/images/1", {"sort_order": 5})).status == 200


async def test_what_is_written_shows_late_in_lists_if_switched():
    """The list lags; the image itself doesn't."""
    async with opened(Config(products=1, fetch=False, list_lag=3600.0)) as (_, store):
        made = await store.create()
        assert await store.listed() == []
        assert (await store.call("GET", f"{store.images}/{made['id']}")).status == 200
