"""What goes wrong on purpose: which calls it strikes, what the caller sees, and whether the store changed."""

import asyncio

import pytest
from aiohttp import ClientError

from imageferry.jobs.sandbox import Config, Fault
from imageferry.jobs.sandbox.faults import KINDS, Script, from_values, from_words

from .stores import opened, until

HEADER = "X-Rate-Limit-Requests-Left"


def struck(fault, calls=20, seed=0):
    script = Script([fault], seed)
    return [n for n in range(calls) if script.pick("GET", "/x")]


def test_the_same_seed_and_calls_meet_the_same_faults():
    """Another seed meets others."""
    fault = Fault("locked", share=0.3)
    assert struck(fault, 200, 1) == struck(fault, 200, 1) != struck(fault, 200, 2)


def test_a_share_is_met_about_as_often_as_it_says():
    """Three in ten of many calls."""
    assert 250 < len(struck(Fault("locked", share=0.3), 1000)) < 350


def test_a_fault_waits_and_ends_as_told():
    """After the first three, twice."""
    assert struck(Fault("locked", after=3, count=2)) == [3, 4]
    assert struck(Fault("locked", share=0)) == []


def test_a_fault_strikes_only_what_it_matches():
    """By method and by a part of the path; what doesn't match isn't counted."""
    script = Script([Fault("locked", methods=("POST", "PUT"), path="/images", after=1)])
    calls = [("GET", "/images"), ("POST", "/images"), ("POST", "/products"), ("PUT", "/images/1")]
    assert [script.pick(*each) is not None for each in calls] == [False, False, False, True]


def test_the_first_fault_that_strikes_is_played():
    """One fault a call."""
    script = Script([Fault("locked", count=1), Fault("conflict")])
    assert [script.pick("GET", "/").kind for _ in range(2)] == ["locked", "conflict"]
    assert [each["struck"] for each in script.statistics()] == [1, 1]


def test_faults_are_read_from_words_and_values():
    """The command line and the control call say the same."""
    words = from_words("failed_after,share=0.5,methods=POST+PUT,after=2,count=3,status=502,delay=1.5,path=/images")
    values = {
        "share": 0.5,
        "methods": ["POST", "PUT"],
        "after": 2,
        "count": 3,
        "status": 502,
        "delay": 1.5,
        "path": "/images",
    }
    assert words == from_values({"kind": "failed_after", **values})
    assert words == Fault("failed_after", 0.5, ("POST", "PUT"), "/images", 2, 3, 502, 1.5)


@pytest.mark.parametrize(
    "words", ["none_such", "locked,share=2", "locked,colour=red", "locked,after=x", "locked,status=99"]
)
def test_a_fault_that_makes_no_sense_is_refused(words):
    """With a ValueError that names what is wrong."""
    with pytest.raises(ValueError):
        from_words(words)


# kind: what the caller sees (a status, or None for an answer that never comes whole), and whether the image was created
SEEN = {
    "throttled": (429, False),
    "bare_429": (429, False),
    "failed_before": (503, False),
    "failed_after": (500, True),
    "dropped_before": (None, False),
    "dropped_after": (None, True),
    "late_commit": (504, False),
    "slow": (201, True),
    "hang": (None, False),
    "cut_body": (None, True),
    "garbled": (201, True),
    "locked": (423, False),
    "conflict": (409, False),
}


async def attempt(store):
    """Return the status of a create, None where no whole answer came."""
    try:
        return (await store.call("POST", store.images, {"image_file": store.picture})).status
    except (ClientError, asyncio.IncompleteReadError):
        return None


@pytest.mark.parametrize(("kind", "seen"), SEEN.items(), ids=SEEN)
async def test_each_kind_is_seen_and_committed_as_it_says(kind, seen):
    """The log tells the same story as the state."""
    async with opened(Config(products=1, fetch=False)) as (sandbox, store):
        sandbox.play(Fault(kind, methods=("POST",), count=1, delay=3600 if kind == "late_commit" else 0.0))
        assert (await attempt(store), len(sandbox.shop.listed(1, 0)) == 1) == seen
        entry = sandbox.log[-1]
        assert (entry.fault, entry.committed, entry.dropped) == (kind, seen[1], seen[0] is None)
        assert await attempt(store) == 201
        assert sandbox.log[-1].fault is None


def test_every_kind_is_tried():
    """No kind without its line in the table."""
    assert SEEN.keys() == KINDS.keys()


async def test_a_late_commit_comes_after_its_answer():
    """504 first, the image some time after, and the log learns of it."""
    async with opened(Config(products=1, fetch=False)) as (sandbox, store):
        sandbox.play(Fault("late_commit", delay=0.05, count=1))
        assert await attempt(store) == 504
        assert not sandbox.log[0].committed
        await until(lambda: sandbox.log[0].committed)
        assert sandbox.log[0].image_ids == [each["id"] for each in await store.listed()]


@pytest.mark.parametrize("kind", ["failed_before", "failed_after", "late_commit", "throttled"])
async def test_the_status_can_be_chosen(kind):
    """Rate limiting as 500, maintenance as 502: as has been seen."""
    async with opened(Config(products=1, fetch=False)) as (sandbox, store):
        sandbox.play(Fault(kind, status=502))
        assert await attempt(store) == 502


async def test_a_bare_429_has_no_rate_header_and_uses_up_nothing():
    """The platform is busy; the quota knows nothing of it."""
    async with opened(Config(products=1, quota=10, windows="first-call")) as (sandbox, store):
        sandbox.play(Fault("bare_429", count=1), Fault("throttled", count=1))
        bare, throttled = [await store.call("GET", store.images) for _ in range(2)]
        assert not [name for name in bare.headers if name.startswith("X-R")]
        assert {HEADER, "X-Retry-After"} <= throttled.headers.keys()
        assert (await store.call("GET", store.images)).headers[HEADER] == "8"


@pytest.mark.parametrize("kind", ["cut_body", "garbled"])
async def test_an_answer_without_a_body_can_be_spoilt_too(kind):
    """A 204 breaks off in its head, or comes as a page."""
    async with opened(Config(products=1, images=2)) as (sandbox, store):
        sandbox.play(Fault(kind))
        if kind == "garbled":
            answer = await store.call("DELETE", f"{store.images}/1")
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
        else:
            with pytest.raises(ClientError):
                await store.call("DELETE", f"{store.images}/1")
        assert (sandbox.log[0].committed, sandbox.log[0].dropped) == (True, kind == "cut_body")


async def test_a_store_that_hangs_can_still_be_ended():
    """Calls that would be answered in an hour don't hold up the end."""
    async with opened(Config(products=1, images=1)) as (sandbox, store):
        sandbox.play(Fault("hang"))
        calls = [asyncio.create_task(attempt(store)) for _ in range(3)]
        await until(lambda: len(sandbox.log) == 3)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
