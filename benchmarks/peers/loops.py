"""Loops over aiohttp: bare and tuned, which is the floor of the wire; over the engine's own client; with back-off; with aiolimiter.

The tuning is that of performance.md section 2: connector without a limit, one session, no timeouts a call but the connector's, bytes
through orjson, `await` and `read()` instead of `async with`, one large block freed at the start.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from aiolimiter import AsyncLimiter
from yarl import URL

from .task import WIRE, Tally, Task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from imageferry.transport.session import AiohttpTransport

    Send = Callable[[str, str, bytes | None], Awaitable[bytes]]

_JSON = {"Content-Type": "application/json"}
_UNREACHED = 1e6  # calls a second: without a quota the limiter is in the way of none, and costs what it costs
_SMALL = 0.1  # a limiter's bucket, in seconds of its rate: a large one lets twice its size through at first


class ThrottledError(Exception):
    """A 429; `reset` is the seconds that its headers name."""

    def __init__(self, reset: float) -> None:
        self.reset = reset


async def work(task: Task) -> dict[str, Any]:
    """Do the task by the loop that it names."""
    block = bytearray(8 << 20)
    del block
    async with _connected(task) as sender:
        tally = Tally()
        send = _STRATEGIES[task.peer](task, tally, sender(tally))
        await _listings(task, tally, send)
        await _creates(task, tally, send)
        return tally.told()


@asynccontextmanager
async def _connected(task: Task) -> AsyncIterator[Callable[[Tally], Send]]:
    if task.peer == WIRE:
        from imageferry.transport.session import AiohttpTransport  # noqa: PLC0415  # the other peers' memory is theirs alone

        async with AiohttpTransport(task.api_url, task.store_hash, task.access_token) as wire:
            yield partial(_by_wire, wire, _store(task))
        return
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        headers={"X-Auth-Token": task.access_token, "Accept": "application/json"},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=20),
        auto_decompress=False,
    ) as session:
        yield partial(_sender, session)


def _by_wire(wire: AiohttpTransport, store: str, tally: Tally) -> Send:
    from imageferry.core.messages import Request  # noqa: PLC0415  # as above

    async def send(method: str, url: str, body: bytes | None) -> bytes:
        tally.requests += 1
        answer = await wire(Request(method, url.removeprefix(store), body))
        if answer.status >= 400:
            raise RuntimeError(f"{method} {url}: {answer.status} {answer.body[:200]!r}")
        return answer.body

    return send


def _sender(session: aiohttp.ClientSession, tally: Tally) -> Send:
    async def send(method: str, url: str, body: bytes | None) -> bytes:
        tally.requests += 1
        headers = None if body is None else _JSON
        response = await session._request(method, URL(url, encoded=True), data=body, headers=headers)  # noqa: SLF001  # as bare as it gets
        data = await response.read()
        if response.status == 429:
            tally.throttled += 1
            raise ThrottledError(int(response.headers.get("X-Rate-Limit-Time-Reset-Ms", 1000)) / 1000)
        if response.status >= 400:
            raise RuntimeError(f"{method} {url}: {response.status} {data[:200]!r}")
        return data

    return send


async def _listings(task: Task, tally: Tally, send: Send) -> None:
    async def one(product_id: int) -> None:
        data = await send("GET", f"{_images(task, product_id)}?limit=250&page=1", None)
        tally.listed += len(orjson.loads(data)) if data else 0

    await _spread((one(product_id) for product_id in range(1, task.products + 1)), task, tally)


async def _creates(task: Task, tally: Tally, send: Send) -> None:
    async def one(product_id: int, fields: dict[str, Any]) -> None:
        made = orjson.loads(await send("POST", _images(task, product_id), orjson.dumps(fields)))
        tally.created += made["id"] > 0

    await _spread((one(product_id, fields) for product_id, fields in task.bodies()), task, tally)


async def _spread(calls: Iterator[Awaitable[None]], task: Task, tally: Tally) -> None:
    """Workers bound the concurrency: nothing waits for a semaphore or in the connector."""

    async def worker() -> None:
        with suppress(TimeoutError):
            for call in calls:
                await call
                if tally.late(task.limit):
                    return

    await asyncio.gather(*(worker() for _ in range(task.concurrency)))


def _images(task: Task, product_id: int) -> str:
    return f"{_store(task)}/v2/products/{product_id}/images"


def _store(task: Task) -> str:
    return f"{task.api_url}/stores/{task.store_hash}"


def _bare(_task: Task, _tally: Tally, send: Send) -> Send:
    return send


def _backing_off(task: Task, tally: Tally, send: Send) -> Send:
    """Exponential back-off with full jitter on 429, up to a window."""

    async def again(method: str, url: str, body: bytes | None) -> bytes:
        delay = task.window / 16
        while True:
            try:
                return await send(method, url, body)
            except ThrottledError:
                await asyncio.sleep(delay * random.random())
                delay = min(2 * delay, task.window)
                _give_up(task, tally)

    return again


def _waiting_for_reset(task: Task, tally: Tally, send: Send) -> Send:
    """A 429 is waited out for as long as its header says, with a little jitter."""

    async def again(method: str, url: str, body: bytes | None) -> bytes:
        while True:
            try:
                return await send(method, url, body)
            except ThrottledError as error:
                await asyncio.sleep(error.reset + 0.05 * random.random())
                _give_up(task, tally)

    return again


def _limited(share: float) -> Callable[[Task, Tally, Send], Send]:
    """aiolimiter at a share of the quota, in a small bucket; a 429 is waited out as its header says, and what is sent again is paced, too."""

    def strategy(task: Task, tally: Tally, send: Send) -> Send:
        rate = share * task.quota / task.window if task.quota else _UNREACHED
        limiter = AsyncLimiter(max(1.0, rate * _SMALL), max(1.0, rate * _SMALL) / rate)

        async def paced(method: str, url: str, body: bytes | None) -> bytes:
            await limiter.acquire()
            return await send(method, url, body)

        return _waiting_for_reset(task, tally, paced)

    return strategy


def _give_up(task: Task, tally: Tally) -> None:
    if tally.late(task.limit):
        raise TimeoutError


_STRATEGIES: dict[str, Callable[[Task, Tally, Send], Send]] = {
    "aiohttp": _bare,
    WIRE: _bare,
    "back-off": _backing_off,
    "wait for reset": _waiting_for_reset,
    "aiolimiter": _limited(1.0),
    "aiolimiter 90%": _limited(0.9),
}
