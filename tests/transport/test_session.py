"""The wire against a real socket on this machine, most of them hostile."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import socket
import ssl
import zlib
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from imageferry.core.errors import CannotConnectError, LostError, RefusedError, SettingsError, StoreError, UnsentError
from imageferry.core.messages import Request, Upload
from imageferry.transport.address import check_address
from imageferry.transport.bounds import BODY_LIMIT
from imageferry.transport.session import AiohttpTransport, failure_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

TOKEN = "tok-5ecret-0123456789"
GET = Request("GET", "/v2/products/1/images?page=1&limit=250")


class Server:
    """A socket that answers each connection by `behave(reader, writer, request head)`; `heads` keeps what was asked."""

    def __init__(self, behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]) -> None:
        self.behave = behave
        self.heads: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                await self.behave(reader, writer, head)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def listening(behave: Callable[..., Awaitable[None]]) -> AsyncIterator[tuple[Server, AiohttpTransport]]:
    """A server and a wire to it."""
    server = Server(behave)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener, AiohttpTransport(f"http://127.0.0.1:{server.port}/base", "abc123", TOKEN) as wire:
        yield server, wire


def saying(*parts: bytes, close: bool = True) -> Callable[..., Awaitable[None]]:
    """Answer with these bytes, then close the connection."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if close:
            raise ConnectionResetError

    return behave


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A plain answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def failing(wire: AiohttpTransport, request: Request = GET) -> StoreError:
    """The error of a call; it must not know the token."""
    with pytest.raises(StoreError) as caught:
        await wire(request)
    error = caught.value
    seen: BaseException | None = error
    while seen is not None:
        assert TOKEN not in repr(seen) + str(seen)
        seen = seen.__cause__ or seen.__context__
    return error


async def test_a_call_is_sent_as_it_is_meant():
    """Path and query go out as they were given, with token and Accept; status, headers and body come back."""
    async with listening(saying(http(b'{"a":1}', "X-Rate-Limit-Requests-Left: 7"), close=False)) as (server, wire):
        answer = await wire(Request("GET", "/v2/products/1/images?page=1&name=a%2Fb%20c"))
        posted = await wire(Request("POST", "/v2/products/1/images", body=b""))
    assert (answer.status, answer.body) == (200, b'{"a":1}')
    assert answer.headers["x-rate-limit-requests-left"] == "7"
    assert posted.status == 200
    head = server.heads[0].decode()
    assert head.startswith("GET /base/stores/abc123/v2/products/1/images?page=1&name=a%2Fb%20c HTTP/1.1\r\n")
    assert f"X-Auth-Token: {TOKEN}\r\n" in head
    assert "Accept: application/json\r\n" in head
    assert "Accept-Encoding: gzip\r\n" in head


async def test_json_travels_as_it_is():
    """A body is sent byte for byte, as application/json."""
    got = {}

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        got["head"], got["body"] = head, await reader.readexactly(16)
        writer.write(http(b"{}", status="201 Created"))

    async with listening(behave) as (_, wire):
        answer = await wire(Request("POST", "/v2/products/1/images", body=b'{"image_file":1}'))
    assert answer.status == 201
    assert got["body"] == b'{"image_file":1}'
    assert b"Content-Type: application/json\r\n" in got["head"]


@pytest.mark.parametrize("name", ["Straße 1.jpg", 'q"uo\\te.jpg', "line\r\nX-Evil: 1.jpg", "plain.png"])
async def test_a_picture_travels_whole(tmp_path: Path, name: str):
    """The exact bytes under `image_file`, with the name that the store shall see, beside the form's fields."""
    picture = bytes(range(256)) * 5000
    path = tmp_path / "picture"
    path.write_bytes(picture)
    got = {}

    async def take(request: web.Request) -> web.Response:
        form = await request.post()
        file = form["image_file"]
        got.update(name=file.filename, bytes=file.file.read(), text=form["description"], length=request.content_length)
        return web.json_response({}, status=201)

    application = web.Application(client_max_size=10**8)
    application.router.add_post("/stores/abc123/v2/products/1/images", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    async with AiohttpTransport(f"http://127.0.0.1:{port}", "abc123", TOKEN) as wire:
        answer = await wire(
            Request("POST", "/v2/products/1/images", upload=Upload(path, name), form={"description": 'Füße & "x"'})
        )
    await runner.cleanup()
    assert answer.status == 201
    assert got["bytes"] == picture
    assert got["text"] == 'Füße & "x"'
    assert got["length"] > len(picture)
    assert got["name"] == {'q"uo\\te.jpg': "q_uo_te.jpg", "line\r\nX-Evil: 1.jpg": "line__X-Evil: 1.jpg"}.get(
        name, name
    )


async def test_a_picture_that_cannot_be_read_is_refused_unsent(tmp_path: Path):
    """A file that is gone fails its own image; nothing reaches the store."""
    async with listening(saying(http(b"{}"))) as (server, wire):
        error = await failing(wire, Request("POST", "/v2/x", upload=Upload(tmp_path / "gone.jpg", "gone.jpg")))
    assert type(error) is RefusedError
    assert "gone.jpg" in str(error)
    assert server.heads == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int):
    """A redirect is an answer; the token goes nowhere else."""
    async with listening(saying(http(b"", "Location: http://127.0.0.1:9/elsewhere", status=f"{status} Moved"))) as (
        server,
        wire,
    ):
        answer = await wire(GET)
    assert answer.status == status
    assert answer.headers["location"] == "http://127.0.0.1:9/elsewhere"
    assert len(server.heads) == 1


BOMB = gzip.compress(b"[" * (BODY_LIMIT + 1))
HOSTILE = {
    "nothing at all": saying(),
    "not HTTP": saying(b"SSH-2.0-OpenSSH_9.6\r\n" * 3),
    "zeros": saying(b"\0" * 70_000),
    "half a status line": saying(b"HTTP/1.1 20"),
    "half the headers": saying(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half the body": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,2"),
    "half a chunk": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n[1,2"),
    "a bad chunk": saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n[1,2\r\n0\r\n\r\n"),
    "two lengths": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"),
    "a negative length": saying(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n12"),
    "a flood of headers": saying(b"HTTP/1.1 200 OK\r\n", *[b"X-A: " + b"a" * 8000 + b"\r\n"] * 300, b"\r\n"),
    "an endless header": saying(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 1_000_000),
    "too long a body": saying(http(b" " * (BODY_LIMIT + 1))),
    "a gzip bomb": saying(http(BOMB, "Content-Encoding: gzip")),
    "bombs in a row": saying(http(gzip.compress(b"[" * (BODY_LIMIT // 2)) * 3, "Content-Encoding: gzip")),
    "torn gzip": saying(http(gzip.compress(b"[1,2,3]" * 100)[:-12], "Content-Encoding: gzip")),
    "no gzip at all": saying(http(b"[1,2,3]", "Content-Encoding: gzip")),
    "an unknown packing": saying(http(b"[1,2,3]", "Content-Encoding: br")),
}


@pytest.mark.parametrize("behave", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_no_answer_is_lost(behave: Callable[..., Awaitable[None]]):
    """Garbage, torn and boundless answers are LostErrors that name the call in one short line, after one sending."""
    async with listening(behave) as (server, wire):
        error = await failing(wire)
    assert type(error) is LostError
    assert "GET /v2/products/1/images" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 400
    assert len(server.heads) == 1


async def test_an_endless_body_is_cut():
    """A body without an end is read up to the cap and no further."""
    sent = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    async with listening(behave) as (_, wire):
        error = await failing(wire)
        await anyio.sleep(0.01)
    assert type(error) is LostError
    assert sent < 4 * BODY_LIMIT


@pytest.mark.parametrize("body", [b"[1,2,3]", b"[" * 200_000, b""], ids=["small", "large", "empty"])
@pytest.mark.parametrize("members", [1, 3])
async def test_gzip_is_unpacked(body: bytes, members: int):
    """What was asked for packed comes back plain, in several members too."""
    async with listening(saying(http(gzip.compress(body) * members, "Content-Encoding: GZIP"))) as (_, wire):
        assert (await wire(GET)).body == body * members


async def test_a_body_of_just_the_limit_is_read():
    """The cap is inclusive, packed or not."""
    whole = b" " * BODY_LIMIT
    async with listening(saying(http(whole))) as (_, wire):
        assert len((await wire(GET)).body) == BODY_LIMIT
    async with listening(saying(http(gzip.compress(whole), "Content-Encoding: gzip"))) as (_, wire):
        assert len((await wire(GET)).body) == BODY_LIMIT


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_each_verb_is_heard_once_on_a_connection_that_dies(method: str):
    """aiohttp would resend GET, PUT and DELETE by itself when a kept connection dies right after the request was heard."""
    body = b"{}" if method in {"POST", "PUT"} else None

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        if body is not None and b"/first" not in head:
            await reader.readexactly(len(body))
        if b"/first" not in head:
            raise ConnectionResetError
        writer.write(http(b"[]"))

    async with listening(behave) as (server, wire):
        await wire(Request("GET", "/first"))
        error = await failing(wire, Request(method, "/second", body))
        await wire(Request("GET", "/first/again"))
    assert type(error) is LostError
    assert [head.split(b" ")[0].decode() for head in server.heads if b"/second" in head] == [method]


async def test_a_dead_connection_is_not_used_again_in_silence():
    """The same where the connection dies unheard: each call is sent once here."""
    connections = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        nonlocal connections
        connections += 1
        if connections > 1:
            raise ConnectionResetError
        writer.write(http(b"[]"))

    async with listening(behave) as (server, wire):
        await wire(GET)
        error = await failing(wire)
    assert type(error) is LostError
    assert len(server.heads) == 2


async def test_nobody_listens():
    """A refused connection is an UnsentError."""
    async with AiohttpTransport("http://127.0.0.1:1", "abc123", TOKEN) as wire:
        assert type(await failing(wire)) is UnsentError


async def test_a_name_that_does_not_exist():
    """A host name that nobody has ends the run; a name server that doesn't answer is an UnsentError."""
    async with AiohttpTransport("https://store.invalid", "abc123", TOKEN) as wire:
        error = await failing(wire)
    assert type(error) is (UnsentError if "Temporary failure" in str(error) else CannotConnectError)


@pytest.mark.parametrize(
    ("number", "reached_before", "expected"),
    [
        (socket.EAI_NONAME, False, CannotConnectError),
        (socket.EAI_NONAME, True, UnsentError),
        (socket.EAI_AGAIN, False, UnsentError),
    ],
)
def test_a_silent_name_server_is_an_outage(number: int, reached_before: bool, expected: type[StoreError]):
    """Only "no such name", and only from a store that never answered, is a wrong setting."""
    key = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)
    error = aiohttp.ClientConnectorDNSError(key, socket.gaierror(number, "x"))
    assert type(failure_of(error, "GET /x", reached_before=reached_before)) is expected


async def test_a_server_that_speaks_no_tls():
    """A failed handshake is an UnsentError: the token hasn't left."""
    got = b""

    async def answer_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        writer.write(b"220 mail.example ESMTP\r\n")
        got += await reader.read(65536)
        writer.close()

    listener = await asyncio.start_server(answer_at_once, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, AiohttpTransport(f"https://127.0.0.1:{port}", "abc123", TOKEN) as wire:
        assert type(await failing(wire)) is UnsentError
    assert TOKEN.encode() not in got


async def test_a_certificate_is_checked(tmp_path: Path):
    """A certificate that nobody vouches for ends the run, and nothing was sent."""
    context = self_signed(tmp_path)
    if context is None:
        pytest.skip("no openssl here to make a certificate with")
    server = Server(saying(http(b"[]")))
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    port = listener.sockets[0].getsockname()[1]
    async with listener, AiohttpTransport(f"https://127.0.0.1:{port}", "abc123", TOKEN) as wire:
        assert type(await failing(wire)) is CannotConnectError
    assert server.heads == []


def self_signed(folder: Path) -> ssl.SSLContext | None:
    """A server's context with a certificate of its own making."""
    import shutil
    import subprocess

    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_the_environment_is_not_listened_to(monkeypatch: pytest.MonkeyPatch):
    """No proxy and no netrc of the environment's is used: the token goes where the user said."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with listening(saying(http(b"[]"))) as (_, wire):
        assert (await wire(GET)).status == 200


async def test_cookies_are_not_kept():
    """What a gateway sets isn't sent back."""
    async with listening(saying(http(b"[]", "Set-Cookie: a=b"), close=False)) as (server, wire):
        await wire(GET)
        await wire(GET)
    assert b"ookie" not in server.heads[1]


async def test_a_cancelled_call_gives_its_connection_up():
    """After a cancellation the next call works and doesn't read the answer of the one before."""
    first = True

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        nonlocal first
        if first:
            first = False
            await asyncio.sleep(0.2)
            writer.write(http(b"late"))
        else:
            writer.write(http(b"mine"))

    async with listening(behave) as (_, wire):
        with anyio.move_on_after(0.05):
            await wire(GET)
        assert (await wire(GET)).body == b"mine"


GOOD_ADDRESSES = [
    "https://api.bigcommerce.com",
    "https://api.bigcommerce.com/",
    "https://h:8443/a/b/",
    "http://127.0.0.1:8080",
    "http://localhost",
    "http://[::1]:1",
    "http://127.9.9.9",
]
BAD_ADDRESSES = [
    "", "api.bigcommerce.com", "ftp://api.bigcommerce.com", "https://", "https:///x", "http://api.bigcommerce.com", "http://10.0.0.1", "http://localhost.example.com",
    "https://user@h", "https://user:pass5ecret@h", "https://:pass5ecret@h", "https://h?x=1", "https://h/?", "https://h#x", "https://h:99999", "https://h:port", "http://0.0.0.0", "//h",
]  # fmt: skip


@pytest.mark.parametrize("address", GOOD_ADDRESSES)
def test_good_addresses_are_taken(address: str):
    """https to anywhere, http to this machine; a path may lead."""
    assert check_address(address).host
    assert repr(AiohttpTransport(address, "abc123", TOKEN)) == f"HttpWire('{address.rstrip('/')}/stores/abc123')"


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_bad_addresses_are_refused(address: str):
    """What would send the token in clear, or elsewhere, or is no address, is a SettingsError that repeats no secret."""
    with pytest.raises(SettingsError) as caught:
        AiohttpTransport(address, "abc123", TOKEN)
    assert "5ecret" not in str(caught.value)


@pytest.mark.parametrize("store_hash", ["", "a/b", "..", "a b", "a?b", "ä", "a\n", "x" * 65])
def test_a_store_hash_is_a_word(store_hash: str):
    """Nothing that would bend the path."""
    with pytest.raises(SettingsError):
        AiohttpTransport("https://h", store_hash, TOKEN)


@pytest.mark.parametrize("token", ["", "a b", "5ecret\n", "5ecret\r\nX: y", "ä5ecret", "5ecret\0"])
def test_a_token_fits_a_header(token: str):
    """A token that can't be one is refused without being repeated."""
    with pytest.raises(SettingsError) as caught:
        AiohttpTransport("https://h", "abc123", token)
    assert "5ecret" not in str(caught.value)


def test_the_token_is_not_shown():
    """Neither repr nor str know it."""
    wire = AiohttpTransport("https://h", "abc123", TOKEN)
    assert TOKEN not in repr(wire) + str(wire)


def made(kind: type[BaseException]) -> Exception:
    """An instance of any of aiohttp's errors, each of which wants to be made in its own way."""
    url = URL("https://h/x")
    key = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)
    asked = aiohttp.RequestInfo(url, "GET", CIMultiDictProxy(CIMultiDict({"X-Auth-Token": TOKEN})), url)
    for arguments in (
        ("/x", key, OSError(1, "x")),
        (key, OSError(1, "x")),
        (asked, ()),
        (b"a", b"b", "h", 1),
        (url,),
        ("x",),
        (),
    ):
        with contextlib.suppress(TypeError, AttributeError):
            error = kind(*arguments)
            str(error)
            return error
    raise AssertionError(kind)


ERRORS = sorted(
    {kind for kind in vars(aiohttp).values() if inspect.isclass(kind) and issubclass(kind, aiohttp.ClientError)}
    | {
        kind
        for kind in vars(aiohttp.client_exceptions).values()
        if inspect.isclass(kind) and issubclass(kind, aiohttp.ClientError)
    },
    key=lambda kind: kind.__name__,
)
NEVER_SENT = {
    "ClientConnectorError", "ClientConnectorDNSError", "ClientConnectorSSLError", "ClientConnectorCertificateError", "ClientSSLError", "ClientProxyConnectionError",
    "UnixClientConnectorError", "ConnectionTimeoutError", "ServerFingerprintMismatch", "ClientHttpProxyError", "InvalidURL", "InvalidUrlClientError", "NonHttpUrlClientError",
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_of_aiohttp_falls_into_one(kind: type[Exception]):
    """Each class is UnsentError or LostError, and only those before the first byte are UnsentErrors; a wrong certificate is neither."""
    error = failure_of(made(kind), "GET /x")
    hopeless = kind is aiohttp.ClientConnectorCertificateError
    expected = UnsentError if kind.__name__ in NEVER_SENT else LostError
    assert type(error) is (CannotConnectError if hopeless else expected)
    assert "GET /x" in str(error)
    assert TOKEN not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(104, "reset"),
        ConnectionResetError(),
        TimeoutError(),
        ssl.SSLError(1, "x"),
        EOFError(),
        ValueError("x"),
        zlib.error("x"),
    ],
    ids=repr,
)
def test_what_is_not_aiohttps_is_lost(error: Exception):
    """Whatever else breaks while a call is out leaves its outcome unknown."""
    assert type(failure_of(error, "GET /x")) is LostError
