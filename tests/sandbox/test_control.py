"""The control plane: what the witness says, and how the store is changed while it runs."""

import hashlib

import orjson
import pytest

from imageferry.jobs.sandbox import Config

from .stores import opened


async def asked(sandbox, store, method, path, body=None):
    """Return status and text of a control call, sent without a token."""
    data = None if body is None else orjson.dumps(body)
    async with store.session.request(
        method, f"{sandbox.url}/_sandbox{path}", data=data, headers={"X-Auth-Token": ""}
    ) as answer:
        return answer.status, await answer.read()


def lines(answer):
    return [orjson.loads(each) for each in answer[1].splitlines()]


@pytest.fixture
async def ground():
    """A sandbox with two products of two images each, and a client."""
    async with opened(Config(products=2, images=2, quota=100, fetch=False)) as (sandbox, store):
        yield sandbox, store


async def test_the_log_tells_each_call_in_its_order(ground):
    """Who called, what came, what was answered, whether the store changed and which images it was about."""
    sandbox, store = ground
    await store.call("GET", store.images, headers={"X-Auth-Client": "nightly"})
    made = await store.create(sort_order=5)
    await store.call("DELETE", store.images)
    log = lines(await asked(sandbox, store, "GET", "/log"))
    assert [(each["n"], each["method"], each["status"], each["committed"]) for each in log] == [
        (1, "GET", 200, False),
        (2, "POST", 201, True),
        (3, "DELETE", 204, True),
    ]
    assert log[0]["app"] == "nightly"
    assert log[1]["body"] == {"image_file": store.picture, "sort_order": 5}
    assert log[2]["image_ids"] == [1, 2, made["id"]]


async def test_control_calls_are_neither_metered_nor_logged(ground):
    """The witness doesn't disturb."""
    sandbox, store = ground
    for path in ("/log", "/state", "/faults", "/settings"):
        assert (await asked(sandbox, store, "GET", path))[0] == 200
    assert sandbox.log == []
    assert sandbox.conductor.meter.usage.taken == 0


async def test_the_log_can_be_emptied_and_goes_on_counting(ground):
    """Numbers are never given twice."""
    sandbox, store = ground
    await store.listed()
    await asked(sandbox, store, "DELETE", "/log")
    await store.listed()
    assert [each.n for each in sandbox.log] == [2]


async def test_the_log_has_bounds_and_can_be_left_out():
    """A benchmark needs neither memory nor microseconds for it."""
    async with opened(Config(products=1, log_size=2)) as (sandbox, store):
        for _ in range(3):
            await store.listed()
        assert [each.n for each in sandbox.log] == [2, 3]
        sandbox.config.log = False
        await store.listed()
        assert len(sandbox.log) == 2


async def test_a_body_too_long_for_the_log_is_told_by_its_digest(ground):
    """Size and SHA-256."""
    sandbox, store = ground
    body = orjson.dumps({"image_file": store.picture, "description": "x" * 3000})
    await store.call("POST", store.images, data=body, headers={"Content-Type": "application/json"})
    assert sandbox.log[0].body == {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


async def test_the_state_shows_every_product_or_the_one_asked_for(ground):
    """With digests of the pictures on request."""
    sandbox, store = ground
    assert [each["product_id"] for each in lines(await asked(sandbox, store, "GET", "/state"))] == [1, 2]
    (row,) = lines(await asked(sandbox, store, "GET", "/state?product_id=2&digests=1"))
    assert [each["image_id"] for each in row["images"]] == [3, 4]
    async with store.session.get(f"{sandbox.url}/product_images/{row['images'][0]['image_file']}") as answer:
        assert hashlib.sha256(await answer.read()).hexdigest() == row["images"][0]["sha256"]


async def test_faults_are_replaced_while_the_store_runs(ground):
    """A list, or a list with a seed; what struck is counted."""
    sandbox, store = ground
    assert (await asked(sandbox, store, "POST", "/faults", [{"kind": "locked", "count": 1}]))[0] == 200
    assert (await store.call("GET", store.images)).status == 423
    assert orjson.loads((await asked(sandbox, store, "GET", "/faults"))[1])[0]["struck"] == 1
    await asked(sandbox, store, "POST", "/faults", {"seed": 3, "faults": []})
    assert (await store.call("GET", store.images)).status == 200


async def test_settings_change_while_the_store_runs(ground):
    """All that are named, or none of them."""
    sandbox, store = ground
    status, body = await asked(sandbox, store, "POST", "/settings", {"quota": 7, "renumber": "always", "latency": 0})
    assert (status, sandbox.config.quota, sandbox.config.renumber) == (200, 7, "always")
    assert orjson.loads(body)["usage"]["taken"] == 0


BAD_SETTINGS = [
    {"quota": "many"},
    {"quota": -1},
    {"quota": True},
    {"renumber": "sometimes"},
    {"latency": "1"},
    {"port": 80},
    {"colour": "red"},
    {"empty": None},
    [],
]


@pytest.mark.parametrize("settings", BAD_SETTINGS, ids=str)
async def test_settings_that_make_no_sense_are_refused_whole(ground, settings):
    """A 400 that names the first of them; nothing is changed."""
    sandbox, store = ground
    asked_for = {"page_cap": 9, **settings} if settings else settings
    assert (await asked(sandbox, store, "POST", "/settings", asked_for))[0] == 400
    assert sandbox.config.page_cap == 0


BAD_CALLS = [
    ("POST", "/faults", [{"kind": "nonsense"}], 400),
    ("POST", "/faults", [{}], 400),
    ("POST", "/faults", 7, 400),
    ("POST", "/edit", {}, 400),
    ("POST", "/edit", {"method": "POST", "path": "/products", "body": {"id": 1}}, 400),
    ("POST", "/edit", {"method": "DELETE", "path": "/products/99"}, 400),
    ("GET", "/state?product_id=x", None, 400),
    ("GET", "/nonsense", None, 404),
    ("DELETE", "/state", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD_CALLS)
async def test_a_control_call_that_makes_no_sense_is_refused(ground, method, path, body, status):
    """Without harm to the store."""
    sandbox, store = ground
    assert (await asked(sandbox, store, method, path, body))[0] == status
    assert len(await store.listed()) == 2


async def test_another_person_edits_past_quota_faults_and_log(ground):
    """With the API's own rules and answers."""
    sandbox, store = ground
    await asked(sandbox, store, "POST", "/faults", [{"kind": "failed_before"}])
    sandbox.config.quota = 0
    edits = [
        {"method": "PUT", "path": "/products/1/images/1", "body": {"description": "Edited"}},
        {"method": "POST", "path": "/products/1/images", "body": {"image_file": "https://a.example/b.jpg"}},
        {"method": "DELETE", "path": "/products/1/images/2"},
        {"method": "PUT", "path": "/products/1/images/1", "body": {"id": 5}},
    ]
    assert [(await asked(sandbox, store, "POST", "/edit", each))[0] for each in edits] == [200, 201, 204, 400]
    assert [(each.image_id, each.description) for each in sandbox.shop.listed(1, 0)] == [(1, "Edited"), (5, "")]
    assert sandbox.log == []


BAD_FAULTS: list[object] = [
    "locked",
    5,
    None,
    {"faults": 5},
    {"faults": None},
    {},
    {"faults": [], "seed": "x"},
    {"faults": [], "seed": None},
    ["locked"],
    [5],
    [None],
    [[]],
    [{}],
    [{"kind": None}],
    [{"kind": ["locked"]}],
    [{"kind": "locked", "share": None}],
    [{"kind": "locked", "share": "much"}],
    [{"kind": "locked", "share": True}],
    [{"kind": "locked", "share": {}}],
    [{"kind": "locked", "methods": 5}],
    [{"kind": "locked", "methods": [5]}],
    [{"kind": "locked", "methods": None}],
    [{"kind": "locked", "path": 5}],
    [{"kind": "locked", "after": None}],
    [{"kind": "locked", "after": -1}],
    [{"kind": "locked", "after": 1.5}],
    [{"kind": "locked", "count": "x"}],
    [{"kind": "locked", "status": None}],
    [{"kind": "locked", "status": 99}],
    [{"kind": "locked", "delay": None}],
    [{"kind": "locked", "delay": []}],
    [{"kind": "locked", "delay": "inf"}],
    [{"kind": "locked", "colour": "red"}],
]


@pytest.mark.parametrize("faults", BAD_FAULTS, ids=repr)
async def test_a_malformed_fault_is_a_400_with_words_and_changes_nothing(ground, faults):
    """Never a 500, neither at once nor with the next call."""
    sandbox, store = ground
    await asked(sandbox, store, "POST", "/faults", [{"kind": "locked", "methods": ["DELETE"]}])
    status, body = await asked(sandbox, store, "POST", "/faults", faults)
    assert (status, bool(orjson.loads(body)["error"])) == (400, True)
    assert [each["kind"] for each in orjson.loads((await asked(sandbox, store, "GET", "/faults"))[1])] == ["locked"]
    assert (await store.call("GET", store.images)).status == 200


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"method": 5, "path": "/products"},
        {"method": "GET"},
        {"method": "GET", "path": ["/x"]},
        {"method": "POST", "path": "/products", "body": [1]},
        {"method": "POST", "path": "/products", "body": "x"},
        [],
    ],
    ids=repr,
)
async def test_a_malformed_edit_is_a_400_with_words(ground, edit):
    """As every other control call."""
    sandbox, store = ground
    status, body = await asked(sandbox, store, "POST", "/edit", edit)
    assert (status, bool(orjson.loads(body)["error"])) == (400, True)
