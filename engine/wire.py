"""The one seam to the network: a Request goes out, an Answer or a StoreError comes back. Alone knows aiohttp.

It sends each request once: no redirect is followed, nothing is sent again, no proxy or netrc of the environment is used, no cookie
is kept. All that is what aiohttp's session does above a request on a connection of its pool, so there is no session here, and a call
costs less ("the wire alone" in benchmarks/). Certificates are always checked. What comes back is bounded before and after
decompression. The time-out is the gate's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import mimetypes
import re
import ssl
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import aiohttp
import anyio.to_thread
from aiohttp.http import StreamWriter
from multidict import CIMultiDict
from yarl import URL

from .core.errors import LostError, RefusedError, SettingsError, StoreError, UnsentError
from .core.exchange import Answer
from .core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from aiohttp.connector import Connection

    from .core.exchange import Request, Upload

# A page of 250 images is about 200 kB; whatever is larger than this is no answer of the store's.
BODY_LIMIT = 8 * 1024 * 1024
# Of a refusal some words are shown to a person; they aren't looked for further on.
REFUSAL_LIMIT = 64 * 1024
# A store packs an answer in one piece; each further one costs a copy of the rest.
MEMBERS = 16
CONNECT_TIMEOUT = 20.0

_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
_HASH = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[\x21-\x7e]+")

# Failures before the request left: no connection, no name, no handshake, an address that can't be used.
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


def failure_of(error: Exception, call: str, redacted: Callable[[str], str] = str) -> UnsentError | LostError:
    """Sort an exception of aiohttp's: UnsentError if the call can't have reached the store, LostError if it may have."""
    told = _plain(redacted(str(error) or type(error).__name__))
    if isinstance(error, _NEVER_SENT) and not isinstance(error, aiohttp.RedirectClientError):
        return UnsentError(f"{call}: no connection to the store: {told}")
    return LostError(f"{call}: no usable answer: {told}")


def _plain(text: str) -> str:
    """One printable line of at most 200 characters about an error; what a server sent may be in it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]


def check_address(api_url: str) -> URL:
    """Make the base address of it: https, or http to this very machine.

    Raises:
        SettingsError: not an address, http to elsewhere, or one with user, password, query or fragment.

    """
    try:
        url = URL(api_url)
    except ValueError:
        raise SettingsError("the API address (--api-url, BIGCOMMERCE_API_URL) isn't a URL") from None
    if url.user is not None or url.password is not None:
        raise SettingsError(
            "the API address must not carry a user or a password; give the token in BIGCOMMERCE_ACCESS_TOKEN"
        )
    if url.scheme not in {"http", "https"} or not url.host:
        raise SettingsError(
            "the API address must begin with https:// and name a host, as https://api.bigcommerce.com does"
        )
    if url.raw_query_string or url.raw_fragment or "?" in api_url or "#" in api_url:
        raise SettingsError("the API address must not have a query or a fragment")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise SettingsError(
            f"http sends the token in clear: use https://{url.host} (http is for this machine itself only)"
        )
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class HttpWire:
    """The wire to one store: `await wire(request)` inside `async with`.

    Raises:
        SettingsError: address, store hash or token make no sense (nothing is connected before `async with`).

    """

    def __init__(self, api_url: str, store_hash: str, token: str) -> None:
        if not _HASH.fullmatch(store_hash):
            raise SettingsError(
                "the store hash (--store-hash, BIGCOMMERCE_STORE_HASH) must be letters and digits, as in stores/abc123"
            )
        if not _TOKEN.fullmatch(token):
            raise SettingsError("the access token is empty or has characters that no token has")
        address = check_address(api_url)
        self._store = URL(f"{address.origin()}{address.raw_path.rstrip('/')}/stores/{store_hash}", encoded=True)
        self._token = token
        self._secret = Secret(token)
        self._headers = CIMultiDict(
            {
                "Host": address.host_port_subcomponent or "",
                "X-Auth-Token": token,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": "imageferry",
            }
        )
        self._json_headers = CIMultiDict(self._headers, **{"Content-Type": "application/json"})
        self._pool: aiohttp.TCPConnector | None = None

    def __repr__(self) -> str:
        return f"HttpWire({str(self._store)!r})"

    async def __aenter__(self) -> Self:
        # Workers bound the concurrency; a limit here would only be one more line to wait in (performance.md section 2).
        self._pool = aiohttp.TCPConnector(limit=0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.close()

    def __call__(self, request: Request) -> Awaitable[Answer]:
        """Send once and read the answer whole.

        Raises:
            UnsentError: the call never reached the store.
            LostError: it may have; no usable answer came (also: an answer over BODY_LIMIT).
            RefusedError: the picture to upload can't be read; nothing was sent.

        """
        if request.upload is not None:
            return self._send_picture(request, request.upload)
        return self._send(request, request.body)

    async def _send_picture(self, request: Request, upload: Upload) -> Answer:
        try:
            picture, media = await anyio.to_thread.run_sync(_open, upload)
        except OSError as error:
            raise RefusedError(f"{upload.path}: can't be read: {error.strerror or error}") from None
        try:
            form = aiohttp.FormData(request.form or {}, quote_fields=False, default_to_multipart=True)
            form.add_field("image_file", picture, filename=_tame(upload.name), content_type=media)
            return await self._send(request, form)
        finally:
            picture.close()

    async def _send(self, request: Request, data: bytes | aiohttp.FormData | None) -> Answer:
        if self._pool is None:
            raise RuntimeError("the wire is used before `async with`")
        try:
            call = self._call(request, data)
            response = await _exchange(call, await _connection(self._pool, call))
            try:
                body = await _read(response, request)
            except BaseException:
                response.close()
                raise
            return self._redacted(response, body)
        except LostError as error:
            failure: StoreError = LostError(self._secret.redacted(error.reason), error.status)
        except (aiohttp.ClientError, OSError, ssl.SSLError, EOFError, ValueError, zlib.error) as error:
            failure = failure_of(error, f"{request.method} {request.path}", self._secret.redacted)
        # Raised out here so that the failure doesn't drag along an exception whose repr shows the token.
        raise failure

    def _call(self, request: Request, data: bytes | aiohttp.FormData | None) -> _Call:
        loop = asyncio.get_running_loop()
        if isinstance(data, aiohttp.FormData):
            url = URL(f"{self._store}{request.path}", encoded=True)
            return _Call(request.method, url, headers=self._headers, data=data, loop=loop)
        # One address serves all: taking a new one apart for each call costs 5 us.
        headers = self._headers if data is None else self._json_headers
        call = _Call(request.method, self._store, headers=headers, data=data, loop=loop)
        call.target = self._store.raw_path + request.path
        return call

    def _redacted(self, response: aiohttp.ClientResponse, body: bytes) -> Answer:
        """The answer without the token, should the store say it back: from here on nothing can pass it on.

        Done before anything is decoded or cut short. What went well is searched the quick way, of all else the beginning is kept.
        """
        well = 200 <= response.status < 300
        headers: Mapping[str, str] = response.headers
        if not well:
            body = self._secret.redacted_bytes(body[:REFUSAL_LIMIT])
        elif self._secret.hinted(body):
            body = self._secret.redacted_bytes(body)
        if not well or self._token in "".join(headers.values()):
            headers = CIMultiDict((name, self._secret.redacted(value)) for name, value in headers.items())
        return Answer(response.status, headers, body)


class _Call(aiohttp.ClientRequest):
    """A request whose body goes out in one piece with its headers; aiohttp starts a task for it (7 us a call on Python 3.11).

    `target` is the path with its query; a form, which may be long, has none and goes aiohttp's way.
    """

    target = ""
    content: bytes | None = None

    def update_headers(self, headers: Any) -> None:
        self.headers = headers.copy()

    def update_auto_headers(self, _skip_auto_headers: object) -> None:
        """Take the headers as they are: nothing is missing from them."""

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        if isinstance(body, bytes):
            self.content = body
            self.headers["Content-Length"] = str(len(body))
        else:
            super().update_body_from_data(body, _stacklevel)

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if not self.target or conn.protocol is None:
            return await super().send(conn)
        writer = StreamWriter(conn.protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.target} HTTP/1.1", self.headers)
        if self.content is None:
            writer.set_eof()
        else:
            await writer.write_eof(self.content)
        return self.response_class(
            self.method,
            self.url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self.session,
            stream_writer=writer,
        )


async def _connection(pool: aiohttp.TCPConnector, call: _Call) -> Connection:
    try:
        return await pool.connect(call, [], _PATIENCE)
    except TimeoutError:
        raise aiohttp.ConnectionTimeoutError(f"no connection within {CONNECT_TIMEOUT:g} s") from None


async def _exchange(call: _Call, connection: Connection) -> aiohttp.ClientResponse:
    """Send, and wait for the answer's headers; where that fails the connection is given up."""
    protocol = connection.protocol
    if protocol is None:
        raise RuntimeError("the connection was given back already")
    try:
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        response = await call.send(connection)
        return await response.start(connection)
    except BaseException:
        connection.close()
        raise


def _tame(name: str) -> str:
    """Make a file name fit for a header; the store makes underscores of such characters anyway (store-api.md section 1.5)."""
    return "".join(letter if letter.isprintable() and letter not in '"\\' else "_" for letter in name)


def _open(upload: Upload) -> tuple[BinaryIO, str]:
    media = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
    return upload.path.open("rb"), media


async def _read(response: aiohttp.ClientResponse, request: Request) -> bytes:
    """Read the body whole, at most BODY_LIMIT bytes of it, packed or not."""
    content = response.content
    # A small answer is mostly there with its headers: then there is nothing to wait for.
    body = content.read_nowait() if content.is_eof() else await content.readany()
    if not content.at_eof():
        parts, size = [body], len(body)
        while part := await content.readany():
            parts.append(part)
            size += len(part)
            if size > BODY_LIMIT:
                raise LostError(f"{request.method} {request.path}: the answer is over {BODY_LIMIT} bytes")
        body = b"".join(parts)
    packing = response.headers.get("Content-Encoding", "")
    if not packing or not body:
        return body
    packing = packing.strip().lower()
    if packing == "identity":
        return body
    if packing not in {"gzip", "x-gzip"}:
        raise LostError(
            f"{request.method} {request.path}: the answer is packed in a way that wasn't asked for ({packing[:40]!r})"
        )
    return _unzip(body, request)


def _unzip(packed: bytes, request: Request) -> bytes:
    plain = b""
    for _ in range(MEMBERS):
        member = zlib.decompressobj(wbits=31)
        plain += member.decompress(packed, BODY_LIMIT + 1 - len(plain))
        if len(plain) > BODY_LIMIT:
            raise LostError(f"{request.method} {request.path}: the unpacked answer is over {BODY_LIMIT} bytes")
        if not member.eof:
            raise LostError(f"{request.method} {request.path}: the packed answer breaks off")
        packed = member.unused_data
        if not packed:
            return plain
    raise LostError(f"{request.method} {request.path}: the answer is packed in over {MEMBERS} pieces")
