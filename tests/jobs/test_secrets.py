"""The token is nowhere: in no output at any verbosity, no file that a run keeps, no repr, and no call but to the store itself."""

from __future__ import annotations

import base64
import json
import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import imageferry
from imageferry.core.dialects import v2
from imageferry.jobs.sandbox import Fault
from imageferry.runs.context import new_context
from imageferry.runs.opening import connected
from imageferry.transport.session import AiohttpTransport

from .rehearsal import clean_environment, rehearsing, until
from .sick_store import answer, image, jpeg, sick_store, well
from .test_hostile import HASTE, sick_rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rehearsal import Rehearsal, Result
    from .sick_store import Call

TOKEN = "t0ken-of-the-sick"


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "escaped": lambda token: "".join(f"\\u{ord(letter):04x}" for letter in token),
    "escaped twice": lambda token: "".join(f"\\\\u{ord(letter):04X}" for letter in token),
    "per cent": lambda token: "".join(f"%{ord(letter):02X}" for letter in token),
    "per cent, small": lambda token: "".join(f"%{ord(letter):02x}" for letter in token),
    "base64": lambda token: base64.b64encode(token.encode()).decode(),
    "base64 of name and token": lambda token: base64.b64encode(f"a:{token}".encode()).decode(),
    "base64 of more": lambda token: base64.b64encode(f"ab:{token}c".encode()).decode(),
}
# In base64 the first and last letters depend on what stands beside the token.
SIGHTS = [spell(TOKEN)[8:20] if "base64 of" in name else spell(TOKEN)[:12] for name, spell in SPELLINGS.items()]


def held(folder: Path, *results: Result) -> list[str]:
    """Where the token is, or its beginning, in any spelling: streams and files below the folder, their names included."""
    places = {f"stream {n}": result.out + result.err for n, result in enumerate(results)}
    files = [path for path in folder.rglob("*") if path.is_file()]
    places |= {str(path): path.name + path.read_bytes().decode("latin-1") for path in files}
    return [f"{place}: {text}" for place, text in places.items() if any(sight in text for sight in SIGHTS)]


def spelled(made: bytes, spell: Callable[[str], str]) -> bytes:
    """An answer in which the token is said otherwise."""
    head, _, body = (part.replace(TOKEN.encode(), spell(TOKEN).encode()) for part in made.partition(b"\r\n\r\n"))
    return re.sub(rb"(Content-Length: )\d+", rb"\g<1>%d" % len(body), head) + b"\r\n\r\n" + body


def echoes(call: Call, status: int | None = None) -> bytes:
    """A store that says the token wherever one can say a thing."""
    said = call.headers.get("x-auth-token", "none")
    headers = [
        f"Set-Cookie: a={said}",
        f"X-Request-ID: {said}",
        f"Server: {said}",
        f"Location: https://example.invalid/{said}",
    ]
    if status is not None:
        body = [{"status": status, "message": f"no {said}", "details": {"invalid_reason": f"bad {said}"}}]
        return answer(body, status, *headers)
    if call.kind == "list":
        url = f"http://{call.headers['host']}/{said}.jpg"
        named = {"description": f"d {said}", "zoom_url": url}
        return answer([image(1, f"a/001/{said}__1.jpg", **named), image(2, "a/001/b__1.jpg", **named)], 200, *headers)
    if call.kind == "POST":
        return answer(image(7, f"a/001/{said}.jpg", description=said), 201, *headers)
    if call.kind in {"PUT", "one"}:
        return answer(image(1, f"a/001/{said}__1.jpg", description=said), 200, *headers)
    return well(call)


def only(kind: str, status: int) -> Callable[[Call], bytes]:
    """One kind of call is refused with an echo, the rest echoes as it answers."""
    return lambda call: echoes(call, status if call.kind == kind else None)


ECHOES: dict[str, Callable[[Call], Any]] = {
    "everywhere": echoes,
    "401": only("count", 401),
    "403 at a listing": only("list", 403),
    "400 at a create": only("POST", 400),
    "404 at a listing": only("list", 404),
    "400 at a delete": only("DELETE", 400),
    "422 at an update": only("PUT", 422),
    "500 for ever": only("list", 500),
    "302": only("list", 302),
    "html with 200": lambda call: answer(f"<html>{call.headers['x-auth-token']}</html>".encode()) if call.kind == "list" else well(call),
    "an unknown packing": lambda call: answer(b"x", 200, f"Content-Encoding: {call.headers['x-auth-token']}") if call.kind == "list" else well(call),
    "no HTTP": lambda call: b"HTTP/1.1 " + call.headers["x-auth-token"].encode() + b"\r\n\r\n" if call.kind == "list" else well(call),
    "a broken header": lambda call: b"HTTP/1.1 200 OK\r\n" + call.headers["x-auth-token"].encode() + b"\r\n\r\n" if call.kind == "list" else well(call),
    "a type": lambda call: answer([{"id": call.headers["x-auth-token"]}]) if call.kind == "list" else well(call),
    "quota": lambda call: answer(b"", 429, f"X-Rate-Limit-Time-Reset-Ms: {call.headers['x-auth-token']}") if call.kind == "list" else well(call),
}  # fmt: skip


SPELT = [
    (echo, spelling)
    for echo in ECHOES
    for spelling in SPELLINGS
    if spelling == "plain" or echo in {"everywhere", "400 at a create", "500 for ever", "302", "html with 200", "quota"}
]


@pytest.mark.parametrize(("echo", "spelling"), SPELT)
def test_a_token_that_the_store_says_back_is_not_said_on(tmp_path: Path, echo: str, spelling: str) -> None:
    """In answers' bodies, headers and redirects, read, refused or unreadable; in any spelling, by every command that calls."""
    with sick_store(lambda call: spelled(ECHOES[echo](call), SPELLINGS[spelling])) as store:
        patient = sick_rehearsal(store.url, tmp_path)
        manifest = tmp_path / "m.jsonl"
        manifest.write_text(
            json.dumps({"product_id": 1, "images": [{"image_file": "https://a.example/new.jpg", "description": "x"}]})
            + "\n"
        )
        haste = [each for each in HASTE if each != "--json"]
        results = [patient.run("plan", manifest, *haste, "-v")]
        results.append(
            patient.run("sync", manifest, *haste, "--json", "--max-deletes", "9", "--backup", tmp_path / "kept")
        )
        if results[0].code == 0:
            results.append(patient.run("status", f"{manifest}.checkpoint.json", "-v"))
            results.append(patient.run("sync", manifest, *haste, "-v", "--max-deletes", "9"))
            results.append(patient.run("export", "--give-up-after", "0.3", "-o", tmp_path / "e.jsonl", "-v"))
    assert all("Traceback" not in result.err for result in results)
    assert not held(tmp_path, *results)


def test_no_file_that_a_whole_life_leaves_holds_the_token(tmp_path: Path) -> None:
    """Plan, apply with faults, sync with a backup, a run that breaks off, verify, export, undo: nothing holds it."""
    with rehearsing(tmp_path, access_token=TOKEN) as store:
        manifest = store.write({1: 3, 2: 2})
        kept = ["--backup", store.folder / "kept", "--storefront-url", store.sandbox.url]
        results = [store.run("plan", manifest, "-v"), store.run("apply", f"{manifest}.plan", "-v")]
        store.write({1: 2, 2: 3}, description="d")
        results.append(store.run("sync", manifest, "-v", *kept, "--max-deletes", "9"))
        results += [store.run("verify", manifest, "-v"), store.run("export", "-v")]
        results.append(
            store.run("undo", f"{manifest}.checkpoint.json", "--backup", store.folder / "kept", "--yes", "-v")
        )
        assert [result.code for result in results] == [0] * 6
        store.sandbox.play(Fault("failed_before", methods=("POST",), status=401))
        broken = store.run("sync", manifest, "-v", "--max-deletes", "9")
        assert broken.code in {1, 5}
        results += [broken, store.run("status", f"{manifest}.checkpoint.json", "-v")]
        assert not held(tmp_path, *results)


@pytest.mark.parametrize(
    "room",
    [
        "imageferry.runs.planner.compare",
        "imageferry.transport.session._read",
        "imageferry.transport.client.read_headers",
        "imageferry.core.dialects.v2.read_count",
    ],
)
def test_a_traceback_of_a_fault_of_ours_does_not_hold_the_token(
    store: Rehearsal, monkeypatch: pytest.MonkeyPatch, room: str
) -> None:
    """The traceback that -v prints after an internal error does not contain the token."""

    def broken(*_: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(room, broken)
    result = store.run("sync", store.write({1: 1}), "-v")
    assert (result.code, "Traceback" in result.err) == (1, True)
    assert store.sandbox.access_token not in result.err + result.out


async def test_no_repr_holds_the_token() -> None:
    """Not of what carries it, and not of what carries that: all that the engine makes of a token, while it is connected."""
    access = imageferry.Access("abc123", TOKEN, "http://127.0.0.1:9")
    job = new_context("sync", access, None, None, None, None)
    about = access, job.options, job.ports, job.progress, job.stop
    async with AsyncExitStack() as alive, connected(*about) as (store, gate):
        wire = await alive.enter_async_context(AiohttpTransport(access.api_url, access.store_hash, access.access_token))
        carriers = [access, wire, job, job.options, job.ports, job.progress, job.report, store, gate]
        with pytest.raises(imageferry.FerryError) as caught:
            await wire(v2.count_images())
        carriers += [caught.value, caught.value.__cause__, caught.value.__context__]
        assert not [each for each in carriers if TOKEN in f"{each!r} {each}"]


@pytest.fixture
def anyio_backend() -> str:
    """The engine runs on asyncio."""
    return "asyncio"


def test_the_token_is_not_in_the_process_list(store: Rehearsal) -> None:
    """It has no flag, and it is not put into the arguments or the title of the process."""
    store.sandbox.play(Fault("slow", delay=20, methods=("POST",)))
    with store.started("sync", store.write({1: 1})) as process:
        until(lambda: store.sandbox.log)
        line = (Path("/proc") / str(process.pid) / "cmdline").read_bytes()
        assert b"sync" in line
        assert store.sandbox.access_token.encode() not in line


def test_pictures_for_a_backup_are_fetched_without_the_token(tmp_path: Path) -> None:
    """They come from wherever the store says; nobody there may learn the token."""
    with sick_store(lambda _: jpeg()) as elsewhere:
        url = f"{elsewhere.url}/p.jpg"
        gone: list[str] = []

        def play(call: Call) -> bytes:
            if call.verb == "DELETE":
                gone.append(call.path)
                return answer(b"", 204)
            return answer([image(1, zoom_url=url)]) if call.kind == "list" and not gone else well(call)

        with sick_store(play) as store:
            patient = sick_rehearsal(store.url, tmp_path)
            manifest = tmp_path / "m.jsonl"
            manifest.write_text('{"product_id": 1, "images": []}\n')
            result = patient.run("sync", manifest, *HASTE, "--backup", tmp_path / "kept")
            assert (result.code, result.record["deleted"]) == (0, 1), result.err
        assert elsewhere.calls
        for call in elsewhere.calls:
            assert TOKEN not in f"{call.path} {call.headers}"
            assert "x-auth-token" not in call.headers


def test_every_call_goes_to_the_store_with_the_token_in_its_header_alone(store: Rehearsal, tmp_path: Path) -> None:
    """Not in a path, where logs would keep it."""
    seen: list[Call] = []

    def play(call: Call) -> bytes:
        seen.append(call)
        return well(call)

    with sick_store(play) as sick:
        sick_rehearsal(sick.url, tmp_path).run("migrate", store.write({1: 1}), *HASTE)
    assert seen
    assert all(call.headers["x-auth-token"] == TOKEN and TOKEN not in call.path for call in seen)
    assert TOKEN not in str(clean_environment())
