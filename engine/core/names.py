"""What an image's name comes down to once the store's renaming is taken off. A name is likeness, never proof.

The store keeps `a b(2).JPG` as `k/392/a_b_2___43888.JPG`; on re-import the suffix stacks, and a CDN copy carries
rendition parts too (store-api.md 1.5). `stem` takes all of it off, on both sides alike.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from .manifest_fields import kind as source_kind

GONE = "//store/"
"""An absolute path is a fault in a manifest, so no source can be mistaken for one of these."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_TAIL = re.compile(r"(?:__\d{5}(?:\.\d{9,11})?(?:\.\d{1,5}\.\d{1,5})?)+$")
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{40}_+")
_RUN = re.compile(r"_{2,}")


def kind(image_file: str) -> str:
    """How a manifest's `image_file` reaches the store: "url", "import" or "file" (contract, Manifest).

    "gone" is what undo calls an image that is in the store and can't be made again; no manifest may name one.
    """
    return "gone" if image_file.startswith(GONE) else source_kind(image_file)


def basename(image_file: str) -> str:
    """The last part of a path or URL, query and fragment taken off, percent-decoded."""
    if "://" in image_file:
        image_file = image_file.partition("#")[0].partition("?")[0]
    elif image_file.startswith("import:"):
        image_file = image_file[7:]
    name = image_file.rpartition("/")[2]
    return unquote(name) if "%" in name else name


def stem(image_file: str) -> str:
    """The name as it was before the store renamed it: the same for a source and for what the store made of it."""
    name = _UNSAFE.sub("_", basename(image_file))
    body, dot, extension = name.rpartition(".")
    if not dot:
        body, extension = name, ""
    if "__" in body:
        body = _TAIL.sub("", body) or body
    if len(body) > 40 and body[40] == "_":
        body = _UPLOAD_PREFIX.sub("", body) or body
    return f"{body}{dot}{extension.lower()}"


def loose(name_stem: str) -> str:
    """A stem with runs of `_` folded: how many the store writes for one character outside ASCII is unknown."""
    return _RUN.sub("_", name_stem)


def bears_name(source: str, stored: str) -> bool:
    """Whether a stored name is what the store makes of a source's."""
    name = source[source.rfind("/") + 1 :]
    dot = name.rfind(".")
    if dot > 0 and stored[6 : 6 + dot] == name[:dot] and stored[6 + dot : 8 + dot] == "__":
        return True
    return loose(stem(source)) == loose(stem(stored))
