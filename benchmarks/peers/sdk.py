"""The vendor's Python SDK, in one thread or eight, a connection for each thread, its own rate limiting switched on.

Its connection is used, not its resource classes, which take three times as long (they look through `dir()` for each field they read).
It is made for https; the sandbox is http on this machine, so the one method that makes the address is replaced.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from bigcommerce.connection import OAuthConnection
from bigcommerce.exception import RateLimitingException

from .task import Tally, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Call = Callable[[OAuthConnection], None]


class _Loopback(OAuthConnection):  # type: ignore[misc]  # the SDK has no types
    def full_path(self, url: str) -> str:
        return f"{self.host}{self.api_path.format(self.store_hash, url)}"


def work(task: Task) -> dict[str, Any]:
    """Do the task."""
    threads = 8 if task.peer == "SDK, 8 threads" else 1
    connections = [_connection(task, threads) for _ in range(threads)]
    tally, lock = Tally(), threading.Lock()

    def listing(product_id: int) -> Call:
        def call(connection: OAuthConnection) -> None:
            images = connection.get(f"products/{product_id}/images", limit=250)
            with lock:
                tally.listed += len(images)

        return call

    def create(product_id: int, fields: dict[str, Any]) -> Call:
        def call(connection: OAuthConnection) -> None:
            made = connection.create(f"products/{product_id}/images", fields)
            with lock:
                tally.created += made["id"] > 0

        return call

    _run(task, tally, lock, connections, (listing(product_id) for product_id in range(1, task.products + 1)))
    _run(task, tally, lock, connections, (create(*each) for each in task.bodies()))
    for connection in connections:
        connection._session.close()  # noqa: SLF001  # the SDK has no way to close it
    return tally.told()


def _connection(task: Task, threads: int) -> OAuthConnection:
    """Wait for the reset while there are still as many calls left as threads that may be about to send."""
    managed = {"min_requests_remaining": threads - 1, "wait": True} if task.quota else None
    return _Loopback("bench", task.store_hash, task.access_token, host=task.api_url, rate_limiting_management=managed)


def _run(
    task: Task, tally: Tally, lock: threading.Lock, connections: list[OAuthConnection], calls: Iterable[Call]
) -> None:
    queue: SimpleQueue[Call] = SimpleQueue()
    for call in calls:
        queue.put(call)

    def worker(connection: OAuthConnection) -> None:
        while not tally.late(task.limit):
            try:
                call = queue.get_nowait()
            except Empty:
                return
            _patiently(task, tally, lock, connection, call)

    if len(connections) == 1:
        worker(connections[0])
        return
    threads = [threading.Thread(target=worker, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _patiently(task: Task, tally: Tally, lock: threading.Lock, connection: OAuthConnection, call: Call) -> None:
    """Send until it isn't turned away; the SDK raises a 429, its headers tell how long to wait."""
    while not tally.late(task.limit):
        with lock:
            tally.requests += 1
        try:
            call(connection)
        except RateLimitingException as error:
            with lock:
                tally.throttled += 1
            time.sleep(int(error.headers.get("X-Rate-Limit-Time-Reset-Ms", 1000)) / 1000)
        else:
            return
