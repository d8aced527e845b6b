"""The store on loopback: sockets and bytes over `conduct`. One handler for all, since benchmarks count its microseconds."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from aiohttp.web_request import BaseRequest

from ..api.messages import Reply, of_gateway
from ..api.v2 import Api
from ..faults import Fault, Script
from ..traffic.pipeline import RequestPipeline, Served
from .control import Control
from .fetcher import PictureFetcher, new_session
from .parsing import LARGEST_CALL, read_call
from .picture_store import PictureStore
from .seed import fill
from .state_file import open_store, save
from .web_pages import WebPages

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import AsyncIterator

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from ..config import Config
    from ..shop.rules import Shop
    from ..traffic.request_log import Entry

_STUMP = len("HTTP/1.1 2")  # what is left of a head that is cut: too little to be taken for an answer
_REASONS = {each.value: each.phrase for each in HTTPStatus}


@dataclass(slots=True)
class Sandbox:
    """A store that runs, as a test sees it; `left_out` says which images of the manifest it could not be filled with."""

    config: Config
    conductor: RequestPipeline
    control: Control
    album: PictureStore
    url: str
    import_folder: Path
    left_out: list[str]

    @property
    def api_url(self) -> str:
        """What callers give as `--api-url`; the pictures hang below it, too."""
        return self.url

    @property
    def store_hash(self) -> str:
        """The store's hash."""
        return self.config.store_hash

    @property
    def access_token(self) -> str:
        """The token that callers must send."""
        return self.config.access_token

    @property
    def shop(self) -> Shop:
        """The store's state with its rules."""
        return self.conductor.api.shop

    @property
    def log(self) -> list[Entry]:
        """The calls so far, the oldest first."""
        return self.conductor.log.entries()

    def play(self, *faults: Fault, seed: int = 0) -> None:
        """Replace all faults by these."""
        self.conductor.script = Script(faults, seed)

    def address(self) -> dict[str, str]:
        """Return what a caller has to know, under the names that the command prints."""
        return {
            "api_url": self.url,
            "store_hash": self.store_hash,
            "access_token": self.access_token,
            "import_folder": str(self.import_folder),
            "storefront_url": self.url,
        }


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Sandbox]:
    """Serve a store on 127.0.0.1 for as long as the context lasts; with a state file it is loaded before and saved after.

    The configuration is copied: what it leaves to be made up is found in the sandbox. Raises OSError where the port is taken
    or the state can't be read or written, ValueError where the state or the manifest makes no sense.
    """
    config = config.copy()
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", config.port), backlog=1024))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        folder = config.import_folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="import-")))
        folder.mkdir(parents=True, exist_ok=True)
        album = PictureStore(config.state.with_name(config.state.name + ".pictures") if config.state else None)
        known = config.state is not None and config.state.exists()
        shop = open_store(config)
        session = await stack.enter_async_context(new_session())
        conductor = RequestPipeline(Api(config, shop, url), PictureFetcher(config, album, folder, session), time.time)
        left_out = [] if known else await fill(config, shop, conductor.fetch, time.time())
        save(config, shop, album)  # a disk that won't have it shall say so now
        sandbox = Sandbox(config, conductor, Control(conductor, album), album, url, folder, left_out)
        server = web.Server(_Router(sandbox).handle, request_factory=_request, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await runner.setup()
        stack.callback(save, config, shop, album)
        stack.push_async_callback(runner.cleanup)
        # Comes before that one: asyncio leaves open what a server had accepted, but not yet attached, when it is closed.
        stack.push_async_callback(asyncio.sleep, 0.001)
        await web.SockSite(runner, listener).start()
        yield sandbox


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: Task[None],
) -> BaseRequest:
    loop: AbstractEventLoop = task.get_loop()
    return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST_CALL)


class _Raw(web.StreamResponse):
    """A response whose bytes are made already; it skips what aiohttp would do with headers."""

    def __init__(self, data: bytes, keep_alive: bool) -> None:
        self._data = data
        self._lasting = keep_alive

    @property
    def keep_alive(self) -> bool:
        return self._lasting

    async def prepare(self, request: BaseRequest) -> None:
        if request.transport is not None and not request.transport.is_closing():
            request.transport.write(self._data)

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be written."""


class _Router:
    """Sorts requests: the API, the control plane, what a person looks at."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._conductor = sandbox.conductor
        self._control = sandbox.control
        self._gallery = WebPages(sandbox.config, sandbox.shop, sandbox.album, sandbox.import_folder)

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        target = request.raw_path
        if target.startswith("/stores/"):
            return await self._api(request, target)
        if target.startswith("/_sandbox/"):
            reply = await self._control.answer(request.method, target, await request.read())
        elif request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
            reply = await self._gallery.answer(target)
        else:
            reply = of_gateway(404)
        return _Raw(_head(reply) + (b"" if request.method == hdrs.METH_HEAD else reply.body), request.keep_alive)

    async def _api(self, request: BaseRequest, target: str) -> web.StreamResponse:
        try:
            call = await read_call(request, target)
            outcome = await self._conductor.handle(call)
        except web.HTTPRequestEntityTooLarge:
            too_large = Reply(413, b"Request Entity Too Large", "text/plain")
            return _Raw(_head(too_large) + too_large.body, keep_alive=False)
        return _sent(request, outcome)


def _sent(request: BaseRequest, outcome: Served) -> web.StreamResponse:
    reply = outcome.reply
    if reply is not None and not outcome.cut:
        return _Raw(_head(reply) + reply.body, request.keep_alive)
    if reply is not None and request.transport is not None:
        head = _head(reply)
        request.transport.write(head + reply.body[: len(reply.body) // 2] if reply.body else head[:_STUMP])
    if request.transport is not None:
        request.transport.close()
    return _Raw(b"", keep_alive=False)


def _head(reply: Reply) -> bytes:
    status = reply.status
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    if status != 204:
        lines += [f"Content-Type: {reply.content_type}", f"Content-Length: {len(reply.body)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    lines += ["", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")
