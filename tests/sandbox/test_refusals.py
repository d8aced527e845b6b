"""What a store refuses, and in which words (store-api.md 1.7, 1.8)."""

import asyncio

import pytest

from imageferry.jobs.sandbox import Config

from .stores import opened

READ_ONLY = "The field '{}' cannot be written to. Please remove it from your request before trying again."


@pytest.mark.parametrize("name", ["id", "product_id", "date_created"])
async def test_a_read_only_field_gets_the_request_rejected(store, name):
    """POST and PUT refuse it by name and change nothing."""
    made = await store.create(description="Front")
    for method, path in (("POST", store.images), ("PUT", f"{store.images}/{made['id']}")):
        answer = await store.call(method, path, {"image_file": store.picture, "description": "Back", name: made["id"]})
        assert (answer.status, answer.message) == (400, READ_ONLY.format(name))
    assert [each["description"] for each in await store.listed()] == ["Front"]


async def test_an_unknown_field_is_refused_by_name(store):
    """V2 does not know V3's image_url."""
    answer = await store.call("POST", store.images, {"image_url": store.picture})
    assert (answer.status, answer.message) == (400, "The field 'image_url' is not supported by this resource.")


async def test_image_file_is_required(store):
    """A create without a picture is refused."""
    answer = await store.call("POST", store.images, {"description": "Front"})
    assert (answer.status, answer.message) == (400, "The required field 'image_file' was not supplied.")


WRONG = {
    "order above int32": {"sort_order": 2**31},
    "order below int32": {"sort_order": -(2**31) - 1},
    "order beyond 64 bits": {"sort_order": 2**70},
    "order as text": {"sort_order": "first"},
    "order as a truth": {"sort_order": True},
    "order null": {"sort_order": None},
    "flag as text": {"is_thumbnail": "yes"},
    "flag as number": {"is_thumbnail": 1},
    "description as number": {"description": 7},
    "picture as number": {"image_file": 7},
    "picture empty": {"image_file": ""},
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
async def test_a_value_of_the_wrong_type_is_refused(store, fields):
    """Types are checked before anything is fetched."""
    answer = await store.call("POST", store.images, {"image_file": store.picture, **fields})
    assert answer.status == 400
    assert await store.listed() == []


@pytest.mark.parametrize("order", [-(2**31), 0, 2**31 - 1], ids=["lowest", "zero", "highest"])
async def test_a_sort_order_may_be_any_int32(store, order):
    """The whole range is taken."""
    assert (await store.create(sort_order=order))["sort_order"] == order


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null"], ids=["empty", "torn", "array", "text", "null"])
async def test_a_body_that_is_no_object_is_refused(store, body):
    """One image a call, as an object."""
    answer = await store.call("POST", store.images, data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400


async def test_a_body_of_another_type_is_415(store):
    """Only JSON and forms are read."""
    answer = await store.call("POST", store.images, data=b"image_file=x", headers={"Content-Type": "text/plain"})
    assert answer.status == 415


MISSING = [
    "/products/999999999/images",
    "/products/999999999/images/1",
    "/products/{}/images/999999999",
    "/products/999999999",
]


@pytest.mark.parametrize("path", MISSING)
async def test_what_does_not_exist_is_404(store, path):
    """A product or image that isn't there is not an empty list."""
    answer = await store.call("GET", path.format(store.product))
    assert (answer.status, answer.message) == (404, "The requested resource was not found.")


async def test_writes_to_what_does_not_exist_are_404(store):
    """POST, PUT and DELETE find nothing either."""
    missing = "/products/999999999/images"
    assert (await store.call("POST", missing, {"image_file": store.picture})).status == 404
    assert (await store.call("PUT", f"{missing}/1", {"sort_order": 1})).status == 404
    assert (await store.call("DELETE", missing)).status == 404
    assert (await store.call("PUT", f"{store.images}/999999999", {"sort_order": 1})).status == 404


async def test_a_path_that_is_none_is_the_gateways_404(store):
    """What stands before the store answers with an object, not with an array."""
    answer = await store.call("GET", "/nonsense")
    assert (answer.status, answer.json["status"]) == (404, 404)


async def test_a_method_that_is_not_served_is_405(store):
    """The image count can't be written."""
    assert (await store.call("POST", "/products/images/count", {})).status == 405


async def test_a_wrong_token_is_401(store):
    """Nothing is shown to a stranger."""
    assert (await store.call("GET", store.images, headers={"X-Auth-Token": "wrong"})).status == 401


@pytest.mark.parametrize("query", ["page=0", "limit=0", "page=x", "limit=-1", "limit=1.5"])
async def test_paging_that_makes_no_sense_is_refused(store, query):
    """Page and limit count from 1."""
    await store.create()
    assert (await store.call("GET", f"{store.images}?{query}")).status == 400


async def test_another_store_is_403():
    """A hash that isn't this store's is turned away."""
    async with opened(Config(products=1)) as (sandbox, store):
        store.root = f"{sandbox.url}/stores/elsewhere/v2"
        assert (await store.call("GET", store.images)).status == 403


async def test_only_json_can_be_asked_for():
    """XML is not reproduced."""
    async with opened(Config(products=1)) as (_, store):
        assert (await store.call("GET", store.images, headers={"Accept": "application/xml"})).status == 406


async def test_a_trailing_slash_does_no_harm():
    """V2 has been seen to take one."""
    async with opened(Config(products=1, fetch=False)) as (_, store):
        assert (await store.call("POST", f"{store.images}/", {"image_file": store.picture})).status == 201


async def test_a_product_takes_a_thousand_images_and_no_more():
    """The thousand-and-first is refused."""
    async with opened(Config(products=1, images=1000, fetch=False)) as (sandbox, store):
        answer = await store.call("POST", store.images, {"image_file": store.picture})
        assert (answer.status, answer.message) == (400, "The field 'image_file' is invalid.")
        await store.call("DELETE", f"{store.images}/1000")
        await store.create()
        assert sandbox.shop.catalogue.total_images == 1000


async def test_every_fault_of_a_request_is_named():
    """The array has an error for each."""
    async with opened(Config(products=1)) as (_, store):
        answer = await store.call("POST", store.images, {"id": 1, "colour": "red"})
        assert len(answer.json) == 3


RAW = {
    "path": b"GET /stores/%(hash)s/v2/products/\xe9 HTTP/1.1\r\n",
    "query": b"GET /stores/%(hash)s/v2/products?\xe9=1 HTTP/1.1\r\n",
    "caller": b"GET /stores/%(hash)s/v2/nonsense HTTP/1.1\r\nX-Auth-Client: \xe9\r\n",
    "type": b"POST /stores/%(hash)s/v2/products/1/images HTTP/1.1\r\nContent-Type: te\xe9xt\r\nContent-Length: 0\r\n",
}


@pytest.mark.parametrize("head", RAW.values(), ids=RAW)
async def test_bytes_that_are_no_utf_8_do_no_harm(head):
    """Refused like any other mistake, and the log can still be read."""
    async with opened(Config(products=1)) as (sandbox, store):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        words = {b"hash": sandbox.store_hash.encode()}
        writer.write(head % words + f"X-Auth-Token: {sandbox.access_token}\r\nHost: x\r\n\r\n".encode())
        assert (await reader.readline()).split()[1] in (b"400", b"404", b"415")
        writer.close()
        async with store.session.get(f"{sandbox.url}/_sandbox/log") as answer:
            assert answer.status == 200
