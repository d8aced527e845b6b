"""Warnings for addresses that a store will probably refuse or misread. Pure.

They are sent nevertheless, because the store decides: a port may be answered with 400, a folder is no image, a
rendition is a smaller copy of the original.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model import WantedProduct

_PORT = re.compile(r"https?://[^/?#]*:\d+(?:[/?#]|$)", re.IGNORECASE)
_FOLDER = re.compile(r"https?://[^?#]*/(?:[?#].*)?", re.IGNORECASE)
_REDUCED = re.compile(r"https?://[^?#]*\.\d{1,4}\.\d{1,4}\.[A-Za-z]{3,4}(?:[?#].*)?", re.IGNORECASE)
_RENDITION = re.compile(r"https?://[^?#]*/images/stencil/\d+[xw]\d*/", re.IGNORECASE)
_REPEATED = "import:product_images/"
_NAMED = 3

_WORDS = {
    "port": (
        "names a port",
        "name a port",
        "A store may refuse such an address with 400; it fetches from the usual ports only.",
    ),
    "folder": (
        "ends in a slash",
        "end in a slash",
        "That is a folder, or a record without a file, and probably not an image.",
    ),
    "reduced": (
        "is a reduced copy",
        "are reduced copies",
        "The original lies below /images/stencil/original/, or under the name without the two sizes: use that.",
    ),
    "repeated": (
        "repeats the import folder",
        "repeat the import folder",
        "Names after import: are relative to product_images/import/ already.",
    ),
}


def oddity(image_file: str) -> str | None:
    """Return the kind of problem that a source probably has.

    None without one.
    """
    if image_file.startswith(_REPEATED):
        return "repeated"
    if image_file.find(":", 6) > 0 and _PORT.match(image_file):
        return "port"
    if (image_file.endswith("/") or "/?" in image_file or "/#" in image_file) and _FOLDER.fullmatch(image_file):
        return "folder"
    # Renditions always lie below such a folder.
    if "/images/" in image_file and (_REDUCED.fullmatch(image_file) or _RENDITION.match(image_file)):
        return "reduced"
    return None


class OddAddresses:
    """Counts of odd addresses while the products of a manifest pass."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[str]] = {}

    def watch(self, products: Iterable[WantedProduct]) -> Iterator[WantedProduct]:
        """Yield the products, counting from zero."""
        self._counts, self._first = {}, {}
        for product in products:
            for image in product.images:
                kind = oddity(image.image_file)
                if kind is not None:
                    self._counts[kind] = self._counts.get(kind, 0) + 1
                    first = self._first.setdefault(kind, [])
                    if len(first) < _NAMED:
                        first.append(image.image_file)
            yield product

    def warnings(self) -> list[str]:
        """Return one sentence per kind: number, first addresses, advice."""
        notes = []
        for kind, (one, many, advice) in _WORDS.items():
            count = self._counts.get(kind, 0)
            if count:
                shown = ", ".join(map(quoted, self._first[kind]))
                more = f" and {count - len(self._first[kind]):,} more" if count > len(self._first[kind]) else ""
                notes.append(
                    f"{count:,} address{'es' * (count > 1)} {many if count > 1 else one}: {shown}{more}. {advice}"
                )
        return notes
