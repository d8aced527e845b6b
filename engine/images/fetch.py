"""HTTP client for stored images, at the addresses that the store names.

It is not the store's API: no token, no quota, no journal. One attempt per call; `images/download.py` has the retries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import aiohttp
from yarl import URL

from ..core.errors import LostError, RefusedError
from ..transport.session import proxy_for

if TYPE_CHECKING:
    from types import TracebackType

LARGEST = 32 * 1024 * 1024
"""Maximum size in bytes; a store accepts 8 MB."""
_TIMEOUT = aiohttp.ClientTimeout(total=100, sock_connect=20, sock_read=30)


class Fetcher:
    """`await fetch(url)` inside `async with` returns the bytes."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "imageferry"}
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def __call__(self, url: str) -> bytes:
        """Return the bytes at `url`, in one attempt.

        Raises RefusedError if the host refuses or sends too much, LostError if it does not respond.
        """
        assert self._session is not None, "use it inside `async with`"
        shown = url[:200]
        try:
            async with self._session.get(url, max_redirects=5, proxy=proxy_for(URL(url))) as response:
                if response.status >= 500 or response.status == 429:
                    raise LostError(f"{shown} answered {response.status}", response.status)
                if response.status != 200:
                    raise RefusedError(f"{shown} answered {response.status}", response.status)
                data = bytearray()
                async for piece in response.content.iter_chunked(1 << 16):
                    data += piece
                    if len(data) > LARGEST:
                        raise RefusedError(f"{shown} is larger than {LARGEST} bytes")
                return bytes(data)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError) as error:
            raise RefusedError(f"{shown} is not a valid address ({type(error).__name__})") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LostError(f"{shown} cannot be fetched: {type(error).__name__}") from None
