"""The file side of reading a manifest: opening, unpacking, spooling, sorting. Touches the manifest, and files beside `spool`.

What a line means is decided in `core`; here is only where lines come from, and how often. A manifest in product order is read
from its own file each time; any other is sorted on disk first, and standard input is spooled.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import sys
import zlib
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from .core.errors import DiskError, Fault, ManifestError
from .core.manifest import JsonLines
from .core.manifest_fields import MAX_FAULTS, MAX_LINE, Look, kind
from .core.manifest_rows import Table
from .core.manifest_selection import Count, Selection
from .sources import preflight
from .spill import Spill, disk_faults, private

if TYPE_CHECKING:
    import hashlib as _types
    from collections.abc import Iterable, Iterator

    from _typeshed import WriteableBuffer

    from .core.manifest import Form, Sight
    from .core.model import WantedProduct

__all__ = ["EVERYTHING", "Manifest", "Selection", "check"]

EVERYTHING = Selection()
_BUFFER = 256 * 1024
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_FORMS: dict[str, type[JsonLines | Table]] = {".csv": Table, ".jsonl": JsonLines, ".ndjson": JsonLines, ".json": JsonLines}
_PICTURES = 65_536  # whose look is remembered: one picture often serves many products


class Manifest:
    """A manifest that was checked and found good; what it keeps on disk goes when it is closed, so use it in a `with`.

    `products`, `images` and `uploads` (images that are local pictures) count the selection. `digest` is the SHA-256 of the
    input's raw bytes, whatever the selection. `path` is absolute, or `-`; `name` is for messages.
    """

    def __init__(self, path: str, input_: _Input, selection: Selection, kept: ExitStack) -> None:
        self.name = input_.name
        self.path = path
        self.digest = ""
        self.products = self.images = self.uploads = 0
        self._input = input_
        self._selection = selection
        self._last_line: int | None = None
        self._sorted: Spill | None = None
        self._kept = kept

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was spooled and sorted; nothing can be read afterwards."""
        self._kept.close()


