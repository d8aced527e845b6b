"""Where the stored pictures' bytes are: kept ones by digest, in memory and beside a state file; made-up ones nowhere.

A picture is named by a short text: `kept:<sha256>` or `made:<what it is made from>`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING
from zlib import crc32

from ..shop.pictures import LARGEST, kind, made_up
from ..shop.rules import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class PictureStore:
    """Keeps pictures; `folder` is where they outlast the store, if anywhere."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._kept: dict[str, bytes] = {}

    def take(self, data: bytes) -> Picture | None:
        """Keep these bytes; None where they are too many or no picture that the store takes."""
        name = kind(data) if len(data) <= LARGEST else None
        if name is None:
            return None
        digest = sha256(data).hexdigest()
        self._kept[digest] = data
        return Picture(f"kept:{digest}", name)

    @staticmethod
    def make_up(text: str) -> Picture:
        """Return a picture that stands for this text; it is drawn when somebody looks at it."""
        return Picture(f"made:{crc32(text.encode()):08x}", "jpg")

    def bytes_of(self, where: str) -> bytes:
        """Return a picture's bytes. Raises FileNotFoundError where they are lost."""
        scheme, _, text = where.partition(":")
        if scheme == "made":
            return made_up(text)
        if text in self._kept:
            return self._kept[text]
        if self._folder is None:
            raise FileNotFoundError(where)
        return (self._folder / text).read_bytes()

    def save(self, wanted: Iterable[str]) -> None:
        """Write the kept pictures among these into the folder, those that aren't there yet."""
        if self._folder is None:
            return
        for where in wanted:
            digest = where.partition(":")[2]
            if where.startswith("kept:") and digest in self._kept and not (self._folder / digest).exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                (self._folder / digest).write_bytes(self._kept[digest])
