"""Gets the pictures that writes name: over HTTP, out of the import folder, out of the form. Fails by returning None.

What a store's fetcher does: store-api.md 1.8, section 7 and unknown 4.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from ..shop.picture_kind import is_cut
from ..shop.pictures import LARGEST

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import StreamReader

    from ..api.validation import Source
    from ..config import Config
    from ..shop.rules import Picture
    from .picture_store import PictureStore

_REDIRECTS = 6  # where aiohttp gives up: five are followed
_AGENT = "imageferry-sandbox"


class PictureFetcher:
    """Brings in pictures; each fetch is a fetch, nothing is remembered."""

    def __init__(self, config: Config, album: PictureStore, folder: Path, session: ClientSession) -> None:
        self._config = config
        self._album = album
        self._folder = folder
        self._session = session

    async def __call__(self, source: Source) -> Picture | None:
        """Return the picture, or None where it can't be had or is none."""
        if source.upload is not None:
            return self._taken(source.upload.data)
        if source.kind == "import":
            data = await asyncio.to_thread(self._read, source.text) if self._config.import_sources else None
        elif self._config.fetch:
            data = await self._download(source.text)
        else:
            return self._album.make_up(source.text)
        return None if data is None else self._taken(data)

    def _taken(self, data: bytes) -> Picture | None:
        refused = self._config.cut_pictures == "refused" and is_cut(data)
        return None if refused else self._album.take(data)

    def _read(self, name: str) -> bytes | None:
        """Return a file of the import folder; nothing outside it, whichever way the name tries."""
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._folder.resolve()) or path.stat().st_size > LARGEST:
                return None
            return path.read_bytes()
        except (OSError, ValueError):
            return None

    async def _download(self, url: str) -> bytes | None:
        try:
            async with (
                asyncio.timeout(self._config.fetch_timeout),
                self._session.get(url, max_redirects=_REDIRECTS) as answer,
            ):
                return await _read_up_to(answer.content, LARGEST) if answer.status == 200 else None
        except (ClientError, OSError, TimeoutError, ValueError):
            return None


async def _read_up_to(content: StreamReader, most: int) -> bytes | None:
    """Return the whole body, or None as soon as it is larger than allowed."""
    data = bytearray()
    async for chunk in content.iter_any():
        data += chunk
        if len(data) > most:
            return None
    return bytes(data)


def new_session() -> ClientSession:
    """Return the client that fetching uses: no cookies, no more connections than a store would open."""
    return ClientSession(cookie_jar=DummyCookieJar(), headers={"User-Agent": _AGENT}, timeout=ClientTimeout(total=None))
