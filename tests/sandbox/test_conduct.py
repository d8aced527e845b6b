"""The store without sockets: an own clock, own pictures, the same rules. What a simulation stands on."""

import pytest

from imageferry.jobs.sandbox import Config, Fault
from imageferry.jobs.sandbox.api.messages import JSON, Call
from imageferry.jobs.sandbox.api.v2 import Api
from imageferry.jobs.sandbox.shop.catalog import Catalogue
from imageferry.jobs.sandbox.shop.rules import Picture, Shop
from imageferry.jobs.sandbox.traffic.pipeline import RequestPipeline

from .stores import until


def api_of(**switches):
    config = Config(store_hash="abc", access_token="t", **switches)
    return Api(config, Shop(config, Catalogue(2, 1)), "http://store.example")


def call(method, path, body=b""):
    return Call(method, f"/stores/abc/v2{path}", token="t", content_type=JSON if body else "", body=body)


CREATE = call("POST", "/products/1/images", b'{"image_file": "https://a.example/b.jpg"}')


def test_a_write_says_which_picture_it_needs_and_is_done_in_one_step():
    """First the source, then, whenever its picture is there, the commit."""
    api = api_of()
    source = api.source(CREATE)
    assert (source.kind, source.text) == ("url", "https://a.example/b.jpg")
    reply = api.answer(CREATE, 1e9, Picture("made:x", "jpg"))
    assert (reply.status, reply.committed, reply.image_ids) == (201, True, [3])


def test_a_picture_that_could_not_be_had_is_a_refusal():
    """Nothing is changed."""
    api = api_of()
    reply = api.answer(CREATE, 1e9, None)
    assert (reply.status, reply.committed, api.shop.catalogue.total_images) == (400, False, 2)


@pytest.mark.parametrize(
    "each",
    [
        call("GET", "/products/1/images"),
        call("PUT", "/products/1/images/1", b'{"sort_order": 1}'),
        call("POST", "/products/9/images", CREATE.body),
        call("POST", "/products/1/images", b"{"),
    ],
    ids=["a read", "no picture", "no product", "no JSON"],
)
def test_a_call_that_brings_no_picture_or_is_refused_needs_none(each):
    """Nothing would be fetched."""
    assert api_of().source(each) is None


async def test_the_clock_is_the_callers():
    """Quota and dates follow it."""
    now = 1_000_000.0

    async def fetch(_source):
        return Picture("made:x", "jpg")

    conductor = RequestPipeline(api_of(quota=1), fetch, lambda: now)
    first = (await conductor.handle(CREATE)).reply
    assert b"Mon, 12 Jan 1970 13:46:40 +0000" in first.body
    assert (await conductor.handle(CREATE)).reply.status == 429
    now += 30
    assert (await conductor.handle(CREATE)).reply.status == 201
    assert [each.at for each in conductor.log.entries()] == [1_000_000.0, 1_000_000.0, 1_000_030.0]


async def test_what_the_caller_sees_is_a_value():
    """A closed connection is no reply, a torn one is marked."""

    async def fetch(_source):
        return None

    api = api_of(
        faults=(Fault("dropped_before", count=1), Fault("cut_body", count=1), Fault("late_commit", delay=0.01))
    )
    conductor = RequestPipeline(api, fetch, lambda: 1e9)
    delete = call("DELETE", "/products/1/images/1")
    dropped, cut = [await conductor.handle(call("GET", "/products/1/images")) for _ in range(2)]
    assert dropped.reply is None
    assert (cut.reply.status, cut.cut) == (200, True)
    assert (await conductor.handle(delete)).reply.status == 504
    assert api.shop.catalogue.total_images == 2
    await until(lambda: api.shop.catalogue.total_images == 1)


async def test_latency_is_drawn_by_the_seed():
    """The loop's clock does the waiting."""
    waits = []
    for seed in (1, 1, 2):
        conductor = RequestPipeline(api_of(latency=0.0, jitter=0.01, seed=seed), None, lambda: 1e9)
        waits.append([conductor._half_way() for _ in range(5)])
    assert waits[0] == waits[1] != waits[2]
    assert all(0 <= each <= 0.005 for each in waits[0])
    assert (await conductor.handle(call("GET", "/products/1"))).reply.status == 200
