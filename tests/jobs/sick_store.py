"""A store that answers whatever a test wants, byte by byte, over real sockets: no HTTP library, no manners."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Bytes = bytes | AsyncIterator[bytes]


@dataclass
class Call:
    """One request as it came: its verb and path, its headers by lower-case names, its body."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """`count`, `list`, `products`, or the verb of a write."""
        if self.verb != "GET":
            return self.verb
        path = self.path.split("?")[0]
        return {"count": "count", "images": "list", "products": "products"}.get(path.rsplit("/", 1)[1], "one")


@dataclass
class SickStore:
    """`play` decides what is sent back to each call; `calls` is what came."""

    play: Callable[[Call], Bytes]
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody is there; noted at once, since a task that is cancelled before its first step closes nothing."""
        self.writers.append(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def hang_up(self) -> None:
        """Close every connection, served or not."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one call."""
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
                call = await _read(reader)
                self.calls.append(call)
                async for piece in _pieces(self.play(call)):
                    writer.write(piece)
                    await writer.drain()
        finally:
            writer.close()


async def _pieces(made: Bytes) -> AsyncIterator[bytes]:
    if isinstance(made, bytes):
        yield made
        return
    async for piece in made:
        yield piece


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    verb, path, _ = head[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Call(verb, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def answer(body: Any = b"", status: int = 200, *headers: str) -> bytes:
    """A whole HTTP answer; what is not bytes becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", "Connection: close", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + data


def image(image_id: int, name: str = "a/001/x__1.jpg", **more: Any) -> dict[str, Any]:
    """An image as the store would show it."""
    return {"id": image_id, "image_file": name, "description": "", "sort_order": 0, "is_thumbnail": False, **more}


def well(call: Call) -> bytes:
    """What a healthy store without images answers."""
    if call.kind == "count":
        return answer({"count": 0})
    if call.kind == "POST":
        wanted = json.loads(call.body)
        name = wanted["image_file"].rpartition("/")[2]
        return answer(image(7, f"a/001/{name}", **{k: v for k, v in wanted.items() if k != "image_file"}), 201)
    if call.kind == "products":
        return answer([{"id": 1}] if "min_id=1&" in call.path else b"", 200)
    return answer(b"", 204)


@cache
def jpeg() -> bytes:
    """An answer with a picture in it."""
    drawn = BytesIO()
    Image.new("RGB", (8, 8)).save(drawn, "JPEG")
    return answer(drawn.getvalue(), 200, "Content-Type: image/jpeg")


@contextmanager
def sick_store(play: Callable[[Call], Bytes]) -> Iterator[SickStore]:
    """Serve on loopback from a thread until the block is over."""
    store = SickStore(play)
    ready: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    up = threading.Event()

    async def serve() -> None:
        async with await asyncio.start_server(store.connected, "127.0.0.1", 0) as server:
            store.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            done = asyncio.Event()
            ready.append((asyncio.get_running_loop(), done))
            up.set()
            await done.wait()
            await asyncio.sleep(0.01)  # what was accepted just now would be left open by a server that is closed
            server.close()
            await store.hang_up()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(10)
    loop, done = ready[0]
    try:
        yield store
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(20)
