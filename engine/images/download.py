"""Downloads of stored images.

A few attempts each, bounded in time, ended by a stop of the run.

A download is aborted after --stall-after. A host without a response for --give-up-after is not asked again in this run,
because each of its images would take as long. The clock is the running loop's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from ..core.errors import LostError, RefusedError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..progress import Stop

    Fetch = Callable[[str], Awaitable[bytes]]

_PAUSES = (1, 2, 4, None)
"""Seconds before each retry; None: no more."""
_SHOWN = 200


class PictureDownloader:
    """`await downloader(url)` returns the bytes.

    Times in seconds; `say` gets a line per abort.
    """

    def __init__(
        self, fetch: Fetch, *, stall_after: float, give_up_after: float, stop: Stop, say: Callable[[str], None]
    ) -> None:
        self._fetch = fetch
        self._stall_after = stall_after
        self._give_up_after = give_up_after
        self._stop = stop
        self._say = say
        self._stopping = anyio.Event()
        stop.on_stop(self._stopping.set)
        self._in_flight = 0
        self._notified_at = 0.0
        self._unresponsive: dict[str, float] = {}
        self._abandoned_hosts: set[str] = set()

    async def __call__(self, url: str) -> bytes:
        """Return the bytes of the image at `url`.

        Raises:
            RefusedError: the host refuses it, or it is too large.
            LostError: it was aborted, all attempts failed, or its host was abandoned.
            StoppedError: the run was stopped before an attempt.

        """
        host, began = _host(url), anyio.current_time()
        if host in self._abandoned_hosts:
            raise LostError(f"no response from {host} for {self._give_up_after:g} s; it is not asked again in this run")
        self._in_flight += 1
        try:
            data = await self._bounded(url, began)
        except LostError:
            self._lost(host, began)
            raise
        except RefusedError:
            self._unresponsive.pop(host, None)
            raise
        finally:
            self._in_flight -= 1
        self._unresponsive.pop(host, None)
        return data

    async def _bounded(self, url: str, began: float) -> bytes:
        with anyio.move_on_after(self._stall_after):
            return await self._fetch_with_retries(url)
        if began >= self._notified_at:
            # One line for all downloads that hang at the same time.
            self._notified_at = anyio.current_time()
            more = f" (and {self._in_flight - 1} more in flight)" if self._in_flight > 1 else ""
            self._say(f"no response for {self._stall_after:g} s, download aborted: GET {url[:_SHOWN]}{more}")
        raise LostError(f"no response from {url[:_SHOWN]} within {self._stall_after:g} s")

    async def _fetch_with_retries(self, url: str) -> bytes:
        for pause in _PAUSES:
            if self._stop.stopping:
                raise StoppedError("the run was asked to stop")
            try:
                return await self._fetch(url)
            except LostError:
                if pause is None:
                    raise
            with anyio.move_on_after(pause):
                await self._stopping.wait()
        raise AssertionError

    def _lost(self, host: str, began: float) -> None:
        since = self._unresponsive.setdefault(host, began)
        if anyio.current_time() - since >= self._give_up_after:
            self._abandoned_hosts.add(host)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return url[:_SHOWN]
