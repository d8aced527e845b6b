"""A hostile or sick store, over real sockets: bounded time and memory, a contract exit code, and a sentence that names the call."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import resource
import time
import zlib
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from .rehearsal import Rehearsal, Result, picture
from .sick_store import Call, answer, image, jpeg, sick_store, well

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

OUTCOMES = {"done", "failed", "unreachable", "refused"}
CODES = {0, 1, 2, 3, 4, 5, 6, 130}
HASTE = ("--give-up-after", "0.3", "--settle", "0", "--stall-after", "1", "--json")


async def _drip() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n["
    while True:
        await asyncio.sleep(0.05)
        yield b" "


async def _flood() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"10000\r\n" + b" " * 65536 + b"\r\n"


async def _endless_head() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X-More: " + b"y" * 4000 + b"\r\n"


@cache
def _bomb() -> bytes:
    press = zlib.compressobj(9, wbits=31)
    packed = b"".join(press.compress(bytes(1 << 20)) for _ in range(100))
    return answer(packed + press.flush(), 200, "Content-Encoding: gzip")


def _many_members() -> bytes:
    return answer(gzip.compress(b"") * 350_000, 200, "Content-Encoding: gzip")


SICK: dict[str, Callable[[], Any]] = {
    "html with 200": lambda: answer(b"<html><body>Welcome to the captive portal</body></html>"),
    "nothing at all": lambda: b"",
    "not HTTP": lambda: b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "a cut body": lambda: b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"id"',
    "a lying length": lambda: b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]",
    "dripping": _drip,
    "an endless body": _flood,
    "an endless head": _endless_head,
    "a gzip bomb": _bomb,
    "gzip of nothing, often": _many_members,
    "broken gzip": lambda: answer(b"\x1f\x8b\x08\x00junk", 200, "Content-Encoding: gzip"),
    "an unasked packing": lambda: answer(b"[]", 200, "Content-Encoding: br"),
    "200,000 brackets": lambda: answer(b"[" * 200_000),
    "1,000 closed brackets": lambda: answer(b"[" * 1000 + b"]" * 1000),
    "1,000 nested objects": lambda: answer(b'{"a":' * 1000 + b"1" + b"}" * 1000),
    "invalid UTF-8": lambda: answer(b'[{"id": 1, "image_file": "\xff\xfe"}]'),
    "lone surrogate": lambda: answer(b'[{"id": 1, "image_file": "\\ud800"}]'),
    "a number": lambda: answer(12),
    "an object": lambda: answer({"data": []}),
    "a list of numbers": lambda: answer([1, 2]),
    "images without fields": lambda: answer([{"id": 1}]),
    "ids of the wrong type": lambda: answer([image("1")]),  # type: ignore[arg-type]  # that is the point
    "negative ids": lambda: answer([image(-1)]),
    "null as name": lambda: answer([image(1, image_file=None)]),
    "500": lambda: answer({"status": 500}, 500),
    "600": lambda: answer(b"", 600),
    "100 for ever": lambda: b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "bare 429": lambda: answer(b"", 429),
    "429 until next year": lambda: answer(b"", 429, *quota(0, 31_536_000_000)),
    "429 until a negative time": lambda: answer(b"", 429, *quota(0, -1)),
    "429 with no number": lambda: answer(b"", 429, *quota("NaN", "NaN")),
    "429 with a retry in a year": lambda: answer(b"", 429, "X-Retry-After: 31536000"),
}


def quota(left: object, reset: object) -> list[str]:
    """The four headers."""
    return [
        f"X-Rate-Limit-Requests-Left: {left}",
        "X-Rate-Limit-Requests-Quota: 150",
        "X-Rate-Limit-Time-Window-Ms: 30000",
        f"X-Rate-Limit-Time-Reset-Ms: {reset}",
    ]


def sick_rehearsal(url: str, folder: Path) -> Rehearsal:
    """A command line that leads to a sick store."""
    address = SimpleNamespace(api_url=url, store_hash="sick", access_token="t0ken-of-the-sick")
    return Rehearsal(address, folder)  # type: ignore[arg-type]  # where it is is all that is asked of it


def crossing(folder: Path, play: Callable[[Call], Any], *argv: object, command: str = "sync") -> Result:
    """A run into such a store; what holds of every ending is held here."""
    with sick_store(play) as store:
        patient = sick_rehearsal(store.url, folder)
        manifest = folder / "products.jsonl"
        if not manifest.exists():
            patient.write({1: 2})
        began, before = time.monotonic(), _peak()
        result = patient.run(command, *([manifest] if command != "export" else []), *HASTE, *argv)
        assert time.monotonic() - began < 20, "bounded time"
        assert _peak() - before < 120_000_000, "bounded memory"
    assert result.code in CODES, result.err
    assert "Traceback" not in result.err
    assert "internal error" not in result.err, result.err
    assert result.record["outcome"] in OUTCOMES
    return result


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("sickness", SICK)
def test_a_listing_that_is_sick_ends_the_run_and_is_named(tmp_path: Path, sickness: str) -> None:
    """Nothing usable came for as long as one waits: exit 5, and the sentence says to which call."""
    result = crossing(tmp_path, lambda call: SICK[sickness]() if call.kind == "list" else well(call))
    assert result.code == 5, result.err
    assert "GET /v2/products/1/images" in result.err, result.err


@pytest.mark.parametrize(
    "sickness", ["html with 200", "not HTTP", "1,000 nested objects", "a gzip bomb", "500", "429 until next year"]
)
def test_a_first_call_that_is_sick_ends_the_run_and_is_named(tmp_path: Path, sickness: str) -> None:
    """The count comes first: the same ending."""
    result = crossing(tmp_path, lambda call: SICK[sickness]() if call.kind == "count" else well(call))
    assert result.code == 5, result.err
    assert "GET /v2/products/images/count" in result.err, result.err


TURNED_AWAY = {
    "bare 429": "it names no wait",
    "429 until next year": "it names a reset in 365 days, which is implausible",
    "429 until a negative time": "it names a reset of '-1', which is implausible",
    "429 with no number": "it names a reset of 'NaN', which is implausible",
    "429 with a retry in a year": "it names a reset in 365 days, which is implausible",
}


@pytest.mark.parametrize("sickness", TURNED_AWAY)
@pytest.mark.parametrize("command", ["verify", "export"])
def test_a_store_that_turns_calls_away_beyond_belief_is_not_called_out_of_reach(
    tmp_path: Path, sickness: str, command: str
) -> None:
    """The end says which call was turned away, with which time that isn't believed, and that it isn't the network."""
    more = ["-o", tmp_path / "out.jsonl"] if command == "export" else []
    result = crossing(tmp_path, lambda _: SICK[sickness](), *more, command=command)
    assert (result.code, result.record["outcome"]) == (5, "unreachable")
    first, _, following = result.err.partition("\n")
    assert first.startswith(f"{command}: the store turns calls away: ")
    assert f"GET /v2/products/images/count: 429 too many requests, and {TURNED_AWAY[sickness]}" in first
    assert TURNED_AWAY[sickness] in result.record["error"]
    assert "the network is well" in following
    assert "out of reach" not in result.err


@pytest.mark.parametrize(
    "sickness",
    ["html with 200", "nothing at all", "a cut body", "1,000 closed brackets", "a number", "negative ids", "bare 429"],
)
def test_creates_whose_answers_are_sick_are_told_by_name(tmp_path: Path, sickness: str) -> None:
    """An answer that can't be read is a lost one: looked for, tried again for a while, and then a failure with its image."""
    result = crossing(tmp_path, lambda call: SICK[sickness]() if call.kind == "POST" else well(call))
    assert result.code in {1, 5}, result.err
    if result.code == 1:
        assert {each["image_file"] for each in result.record["failures"]} == {picture(1, 0), picture(1, 1)}
    else:
        assert "POST /v2/products/1/images" in result.err


REMARKS = {
    "a reset in a year": quota(10, 31_536_000_000),
    "a negative reset": quota(10, -1),
    "none left until yesterday": quota(0, -1),
    "no numbers": quota("NaN", "Infinity"),
    "words": quota("lots", "soon"),
    "negative calls": quota(-5, 30_000),
    "endless digits": quota("9" * 4000, "9" * 4000),
    "a header twice": [*quota(5, 1000), *quota(7, 2000)],
}


@pytest.mark.parametrize("remark", REMARKS)
def test_quota_headers_that_make_no_sense_hold_nothing_up(tmp_path: Path, remark: str) -> None:
    """Good answers with mad headers: the run goes well all the same, and soon."""

    def play(call: Call) -> bytes:
        return well(call).replace(
            b"Connection: close", b"\r\n".join([b"Connection: close", *map(str.encode, REMARKS[remark])])
        )

    manifest = tmp_path / "products.jsonl"
    manifest.write_text(json.dumps({"product_id": 1, "images": []}) + "\n")
    assert crossing(tmp_path, play).code == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["count", "list", "POST"])
def test_no_redirect_is_followed(tmp_path: Path, status: int, kind: str) -> None:
    """Whoever it leads to gets no call and no token; the message says where it would have led."""
    with sick_store(well) as elsewhere:
        there = f"{elsewhere.url}/stores/sick/v2/x"
        result = crossing(
            tmp_path, lambda call: answer(b"", status, f"Location: {there}") if call.kind == kind else well(call)
        )
        assert not elsewhere.calls
    assert result.code in {1, 5}
    assert there in result.err + result.out
    if result.code == 5:
        assert re.search(r"GET /v2/products/images/count: 30\d the API address redirects to", result.err)


def test_an_image_that_is_listed_twice_is_one_image(tmp_path: Path) -> None:
    """Ids twice on a page, or on each page: nothing is doubled, and nothing runs for ever."""
    rows = [image(n % 200 + 1, f"a/001/{n % 200}__12345.jpg") for n in range(250)]
    (tmp_path / "products.jsonl").write_text(json.dumps({"product_id": 1, "images": []}) + "\n")
    result = crossing(tmp_path, lambda call: answer(rows) if call.kind == "list" else well(call), command="plan")
    assert (result.code, result.record["deletes"]) == (3, 200)


@pytest.mark.parametrize("command", ["plan", "export"])
def test_pages_that_never_end_come_to_an_end(tmp_path: Path, command: str) -> None:
    """A product has 1,000 images at most; a listing that goes on is that product's failure."""

    def play(call: Call) -> bytes:
        if call.kind != "list":
            return well(call)
        page = int(call.path.rpartition("page=")[2])
        return answer([image(page * 250 + n, f"a/001/{page}-{n}__1.jpg") for n in range(250)])

    more = ["-o", tmp_path / "out.jsonl"] if command == "export" else []
    result = crossing(tmp_path, play, *more, command=command)
    told = json.dumps(result.record["failures"]) + result.err
    assert "product 1" in told
    assert "1,000 images at most" in told


def _first_id(call: Call) -> int:
    return int(re.findall(r"min_id=(\d+)", call.path)[0])


def _for_ever(call: Call) -> bytes:
    return answer([{"id": _first_id(call) + n} for n in range(250)])


LISTS: dict[str, tuple[Callable[[Call], bytes], str]] = {
    "for ever": (_for_ever, "goes on after 1,250 products, but the store counts 3"),
    "the same page": (lambda _: answer([{"id": n} for n in range(1, 251)]), "names products that were not asked for"),
    "refused": (lambda _: answer([{"status": 400, "message": "no such filter"}], 400), "400 no such filter"),
    "gone": (lambda _: answer(b"", 404), "404 no reason given"),
}


@pytest.mark.parametrize("sickness", LISTS)
def test_a_list_of_products_that_is_sick_ends_an_export_and_is_named(tmp_path: Path, sickness: str) -> None:
    """Products invented for ever are too many by the store's own count; no file is left that looks whole."""
    listed, words = LISTS[sickness]
    asked: list[str] = []

    def play(call: Call) -> bytes:
        if call.kind == "count" and call.path.endswith("/products/count"):
            asked.append(call.path)
            return answer({"count": 3})
        return listed(call) if call.kind == "products" else well(call)

    result = crossing(tmp_path, play, "-o", tmp_path / "out.jsonl", command="export")
    assert (result.code, result.record["outcome"]) == (5, "unreachable")
    assert "GET /v2/products?min_id=" in result.err
    assert words in result.err
    assert len(asked) == (sickness == "for ever")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_large_store_is_exported_whole_and_counted_but_once(tmp_path: Path) -> None:
    """The bound is far above what an honest store has, also while others add products."""
    counts: list[str] = []

    def play(call: Call) -> bytes:
        if call.path.endswith("/products/count"):
            counts.append(call.path)
            return answer({"count": 900})
        if call.kind == "products":
            first = _first_id(call)
            return answer([{"id": number} for number in range(first, min(first + 250, 1501))])
        return (
            answer({"count": 1500}) if call.kind == "count" else answer([image(1, zoom_url="https://a.example/b.jpg")])
        )

    result = crossing(tmp_path, play, "-o", tmp_path / "out.jsonl", command="export")
    assert (result.code, result.record["products"]) == (0, 1500)
    assert [json.loads(line)["product_id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == list(
        range(1, 1501)
    )
    assert len(counts) == 1


def test_what_waits_for_a_slow_product_is_bounded(tmp_path: Path) -> None:
    """An export is in product order; what others have ready meanwhile does not grow to all there is."""
    page = answer(
        [
            image(n, f"a/001/{n}__1.jpg", description="d" * 4000, zoom_url="https://a.example/b.jpg")
            for n in range(1, 200)
        ]
    )

    calm = ("--give-up-after", "20", "--stall-after", "20")

    async def late() -> AsyncIterator[bytes]:
        for _ in range(30):
            await asyncio.sleep(0.1)
        yield page

    def play(call: Call) -> Any:
        if call.kind == "products":
            return answer([{"id": n} for n in range(1, 201)] if _first_id(call) == 1 else [])
        if call.kind == "count":
            return answer({"count": 199 * 200})
        if "/products/1/" in call.path:
            return late()
        return page

    result = crossing(tmp_path, play, "-o", tmp_path / "out.jsonl", *calm, command="export")
    assert (result.code, result.record["wanted"]) == (0, 199 * 200)


NAMES = [
    "../../../../tmp/evil.jpg",
    "/etc/passwd",
    "a\0b.jpg",
    "x" * 5000,
    "\x1b[31mred\x07.jpg",
    "..",
    "",
    "a/./../b",
    "\u202egpj.exe",
    "con\r\nSet-Cookie: a=b",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
def test_names_that_a_store_makes_up_lead_nowhere(tmp_path: Path, name: str) -> None:
    """A backup's files stay inside its folder, whatever the images are called; the terminal gets no control character."""
    kept = tmp_path / "kept"
    (tmp_path / "products.jsonl").write_text(json.dumps({"product_id": 1, "images": []}) + "\n")
    gone: list[str] = []

    def play(call: Call) -> bytes:
        if call.path.startswith("/picture"):
            return jpeg()
        if call.verb == "DELETE":
            gone.append(call.path)
            return answer(b"", 204)
        url = f"http://{call.headers['host']}/picture"
        return answer([image(1, name, zoom_url=url)]) if call.kind == "list" and not gone else well(call)

    before = set(tmp_path.parent.iterdir())
    result = crossing(tmp_path, play, "--backup", kept, "--max-deletes", "1", "-v")
    assert bool(gone) == bool(result.record["deleted"])
    assert set(tmp_path.parent.iterdir()) == before
    assert all(path.resolve().is_relative_to(kept) for path in kept.rglob("*"))
    gone.clear()
    planned = crossing(tmp_path, play, "--checkpoint", tmp_path / "other", command="plan")
    assert not any(letter in result.err + planned.err + planned.out for letter in "\x1b\x07\u202e")


def test_what_a_store_says_reaches_the_terminal_escaped(tmp_path: Path) -> None:
    """A reason with escape sequences is shown, not obeyed, in the page, on standard error and in the object."""
    said = {"status": 400, "message": "\x1b]0;owned\x07\x1b[2Jno \u202ereally\r\nimageferry: done"}
    play = lambda call: answer([said], 400) if call.kind == "POST" else well(call)  # noqa: E731
    result = crossing(tmp_path, play)
    assert result.code == 1
    with sick_store(play) as store:
        page = sick_rehearsal(store.url, tmp_path).run(
            "migrate", tmp_path / "products.jsonl", "--checkpoint", tmp_path / "c"
        )
    for told in (result.err, result.out, page.out, page.err):
        assert not any(letter in told for letter in "\x1b\x07\u202e\r")
    assert "\nimageferry: done" not in page.out


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1",
        "http://localhost.example.com",
        "http://127.0.0.1.nip.io",
        "http://[2001:db8::1]",
        "http://0x7f000001.example",
    ],
)
def test_http_to_anything_but_this_machine_is_refused(tmp_path: Path, url: str) -> None:
    """Before anything is asked of a name server or sent: exit 2, and the address is named."""
    patient = sick_rehearsal(url, tmp_path)
    result = patient.run("sync", patient.write({1: 1}), "--json")
    assert (result.code, result.record["outcome"]) == (2, "invalid")
    assert "use https" in result.err
