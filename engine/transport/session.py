"""The one seam to the network: a Request goes out, an Answer or a StoreError comes back. Alone knows aiohttp.

One `ClientSession`. It sends each request once: no redirect is followed, nothing is resent, no netrc of the environment is used, no
cookie is kept. A proxy of the environment (HTTPS_PROXY, NO_PROXY) carries https alone, and sees nothing but the tunnel. Certificates
are always checked, by SSL_CERT_FILE where that is set. What comes back is bounded before and after decompression. The time-out is
the gate's.
"""

from __future__ import annotations

import mimetypes
import socket
import ssl
import zlib
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
import anyio.to_thread
from multidict import CIMultiDict
from yarl import URL

from ..core.errors import CannotConnectError, LostError, RefusedError, SettingsError, StoreError, UnsentError
from ..core.messages import Response
from .address import _HASH, _TOKEN, check_address
from .bounds import _read
from .redaction import TokenRedactor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from ..core.messages import Request, Upload

# Of a refusal some words are shown to a person; they aren't looked for further on.
REFUSAL_LIMIT = 64 * 1024
CONNECT_TIMEOUT = 20.0

_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)

# Failures before the request left: no connection, no name, no handshake, an address that can't be used.
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
# What name servers say of a name that nobody has, and not that they are out of reach.
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_PROXY_WANTS_LOGIN = 407


def failure_of(
    error: Exception, call: str, redacted: Callable[[str], str] = str, *, reached_before: bool = False
) -> StoreError:
    """Sort an exception of aiohttp's.

    CannotConnectError where no later try can do better, UnsentError if the call can't have reached the store, LostError if it may have.
    `reached_before`: this store has answered already, so that its name exists.
    """
    told = _plain(redacted(str(error) or type(error).__name__))
    if (hopeless := _why_hopeless(error, told, reached_before=reached_before)) is not None:
        return CannotConnectError(f"{call}: {hopeless}")
    if isinstance(error, _NEVER_SENT) and not isinstance(error, aiohttp.RedirectClientError):
        return UnsentError(f"{call}: no connection to the store: {told}")
    return LostError(f"{call}: no usable answer: {told}")


def _why_hopeless(error: Exception, told: str, *, reached_before: bool) -> str | None:
    """Return what a person has to put right before any call can reach the store, None where waiting may help."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            f"the store's certificate cannot be trusted: {told}. Behind a proxy that opens https, set SSL_CERT_FILE to a "
            "file with its CA certificate; otherwise check the API address and this machine's clock"
        )
    no_name = isinstance(error, aiohttp.ClientConnectorDNSError) and error.os_error.errno in _NO_SUCH_NAME
    if no_name and not reached_before:
        return f"the host name does not exist: {told}. Check the API address (--api-url, BIGCOMMERCE_API_URL)"
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == _PROXY_WANTS_LOGIN:
        return "the proxy refuses the credentials (407). Put user and password into HTTPS_PROXY: http://user:password@host:port"
    return None


class ConnectionDiedError(aiohttp.ClientError):
    """The connection died after the request had been put on it: the store may have heard it."""


async def never_resend(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request a second time.

    When a connection dies, the session resends GET, PUT and DELETE on these two errors and on no others (seen with aiohttp 3.14.5).

    Raises ConnectionDiedError in their place.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionDiedError(str(error) or type(error).__name__) from None


def proxy_for(url: URL) -> URL | None:
    """Return the proxy that the environment names for an https address: HTTPS_PROXY (or https_proxy), unless NO_PROXY excepts the host.

    http, which goes to this machine only, never takes a proxy.

    Raises SettingsError where the proxy's address makes no sense.
    """
    if url.scheme != "https":
        return None
    proxies = getproxies_environment()
    named = proxies.get("https")
    if not named or proxy_bypass(url.host_port_subcomponent or "", proxies):
        return None
    try:
        proxy = URL(named if "//" in named else f"http://{named}")
    except ValueError:
        proxy = URL()
    if proxy.scheme not in {"http", "https"} or not proxy.host:
        raise SettingsError("HTTPS_PROXY must be http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT")
    return proxy


def _plain(text: str) -> str:
    """One printable line of at most 200 characters about an error; what a server sent may be in it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]


class AiohttpTransport:
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
        self._secret = TokenRedactor(token)
        self._headers = CIMultiDict(
            {
                "X-Auth-Token": token,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": "imageferry",
            }
        )
        self._json_headers = CIMultiDict(self._headers, **{"Content-Type": "application/json"})
        self._session: aiohttp.ClientSession | None = None
        self._reached = False

    def __repr__(self) -> str:
        return f"HttpWire({str(self._store)!r})"

    async def __aenter__(self) -> Self:
        # Workers bound the concurrency; a limit here would only be one more line to wait in (performance.md section 2).
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=_PATIENCE,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            middlewares=(never_resend,),
            proxy=proxy_for(self._store),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def __call__(self, request: Request) -> Awaitable[Response]:
        """Send once and read the answer whole.

        Raises:
            UnsentError: the call never reached the store.
            CannotConnectError: nor can any other call, until a person corrects something.
            LostError: it may have; no usable answer came (also: an answer over BODY_LIMIT).
            RefusedError: the picture to upload can't be read; nothing was sent.

        """
        if request.upload is not None:
            return self._send_picture(request, request.upload)
        return self._send(request, request.body)

    async def _send_picture(self, request: Request, upload: Upload) -> Response:
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

    async def _send(self, request: Request, data: bytes | aiohttp.FormData | None) -> Response:
        if self._session is None:
            raise RuntimeError("the wire is used before `async with`")
        url = URL(f"{self._store}{request.path}", encoded=True)
        # With each request: headers that a session is given as its own go to the proxy, too (seen with aiohttp 3.14.5).
        headers = self._json_headers if isinstance(data, bytes) else self._headers
        try:
            async with self._session.request(
                request.method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                self._reached = True
                try:
                    body = await _read(response, request)
                except BaseException:
                    response.close()
                    raise
            return self._redacted(response, body)
        except LostError as error:
            failure: StoreError = LostError(self._secret.redact(error.reason), error.status)
        except (aiohttp.ClientError, OSError, ssl.SSLError, EOFError, ValueError, zlib.error) as error:
            call = f"{request.method} {request.path}"
            failure = failure_of(error, call, self._secret.redact, reached_before=self._reached)
        # Raised out here so that the failure doesn't drag along an exception whose repr shows the token.
        raise failure

    def _redacted(self, response: aiohttp.ClientResponse, body: bytes) -> Response:
        """The answer without the token, should the store say it back: from here on nothing can pass it on.

        Done before anything is decoded or cut short. What went well is searched the quick way, of all else the beginning is kept.
        """
        well = 200 <= response.status < 300
        headers: Mapping[str, str] = response.headers
        if not well:
            body = self._secret.redacted_bytes(body[:REFUSAL_LIMIT])
        elif self._secret.may_contain(body):
            body = self._secret.redacted_bytes(body)
        if not well or self._token in "".join(headers.values()):
            headers = CIMultiDict((name, self._secret.redact(value)) for name, value in headers.items())
        return Response(response.status, headers, body)


def _tame(name: str) -> str:
    """Make a file name fit for a header; the store makes underscores of such characters anyway (store-api.md section 1.5)."""
    return "".join(letter if letter.isprintable() and letter not in '"\\' else "_" for letter in name)


def _open(upload: Upload) -> tuple[BinaryIO, str]:
    media = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
    return upload.path.open("rb"), media
