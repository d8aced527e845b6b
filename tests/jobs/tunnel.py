"""A private CA, an https door before a sandbox, and a CONNECT proxy that leads to it: all on this machine."""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "store.example"


@dataclass
class Tunnel:
    """`asked` holds the head of each request that the proxy got, `through` the number of bytes that went to the store."""

    store_port: int
    certificates: ssl.SSLContext
    door_port: int = 0
    proxy_port: int = 0
    status: bytes = b"200 Connection established"
    asked: list[bytes] = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)

    @property
    def proxy(self) -> str:
        """What to put into HTTPS_PROXY."""
        return f"http://127.0.0.1:{self.proxy_port}"

    async def door(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """TLS ends here; what is in it goes to the sandbox."""
        await _join(reader, writer, self.store_port)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The proxy: every host name leads to the door."""
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 " + self.status + b"\r\n\r\n")
        if self.status.startswith(b"200"):
            await _join(reader, writer, self.door_port, self.seen)
        writer.close()


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, seen: bytearray | None = None
) -> None:
    other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_pump(reader, other_writer, seen), _pump(other_reader, writer, None))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray | None) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            if seen is not None:
                seen += data
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@contextmanager
def tunnel_to(store_port: int, folder: Path) -> Iterator[tuple[Tunnel, Path]]:
    """Serve both from a thread; the path is the CA's certificate, for SSL_CERT_FILE."""
    authority, certificates = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST, "127.0.0.1").configure_cert(certificates)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    tunnel = Tunnel(store_port, certificates)
    ready: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    up = threading.Event()

    async def serve() -> None:
        door = await asyncio.start_server(tunnel.door, "127.0.0.1", 0, ssl=certificates)
        proxy = await asyncio.start_server(tunnel.connect, "127.0.0.1", 0)
        tunnel.door_port, tunnel.proxy_port = (each.sockets[0].getsockname()[1] for each in (door, proxy))
        done = asyncio.Event()
        ready.append((asyncio.get_running_loop(), done))
        up.set()
        await done.wait()
        door.close()
        proxy.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(20)
    try:
        yield tunnel, folder / "ca.pem"
    finally:
        loop, done = ready[0]
        loop.call_soon_threadsafe(done.set)
        thread.join(20)
