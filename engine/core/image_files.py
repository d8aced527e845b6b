"""What an image's name comes down to once the store's renaming is taken off. A name is likeness, never proof.

The store keeps `a b(2).JPG` as `k/392/a_b_2___43888.JPG`; on re-import the suffix stacks, and a CDN copy carries
rendition parts too (store-api.md 1.5). `stem` takes all of it off, on both sides alike. A source whose extension the
store does not keep (`media?id=7`, `photo.jfif`, `photo.jpg:large`) is completed by it, nobody knows how: `completions`
has the readings. A long name may be cut, nobody knows where: `cut_key` is compared by its beginning.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import unquote

GONE = "//store/"
"""An absolute path is a fault in a manifest, so no source can be mistaken for one of these."""
KEPT = frozenset({"bmp", "gif", "jpg", "jpeg", "jpe", "png", "wbmp", "xbm", "webp"})
"""The extensions of the kinds that a store takes (store-api.md 1.8), which it therefore keeps."""
CUT_FROM = 50
"""A stored name of fewer letters is whole: an image field holds 255, and no store was seen to keep less than this."""
READINGS = 4
"""So many readings `completions` has at most."""
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


def base_name(image_file: str) -> str:
    """The name as it was before the store renamed it: the same for a source and for what the store made of it."""
    body, dot, extension = _parts(image_file)
    return f"{body}{dot}{extension.lower()}"


def _parts(image_file: str) -> tuple[str, str, str]:
    """Body, dot and extension of the name, with what the store adds taken off."""
    name = _UNSAFE.sub("_", basename(image_file))
    body, dot, extension = name.rpartition(".")
    if not dot:
        body, extension = name, ""
    if "__" in body:
        body = _TAIL.sub("", body) or body
    if len(body) > 40 and body[40] == "_":
        body = _UPLOAD_PREFIX.sub("", body) or body
    return body, dot, extension


def folded_name(name_stem: str) -> str:
    """A stem with runs of `_` folded: how many the store writes for one character outside ASCII is unknown."""
    return _RUN.sub("_", name_stem)


def one_extension(image_file: str) -> str:
    """The loose stem with one extension for all that JPEGs bear: a store may write its own."""
    body, dot, extension = folded_name(base_name(image_file)).rpartition(".")
    return f"{body}{dot}{'jpg' if extension in {'jpeg', 'jpe'} else extension}"


def is_completed(image_file: str) -> bool:
    """Whether the store has to complete this source's name, because its extension is none that a store keeps."""
    return basename(image_file).rpartition(".")[2].lower() not in KEPT or "." not in basename(image_file)


def body_key(stored: str) -> str:
    """What a stored name is compared by where its extension tells nothing: all but that extension, loosely."""
    body, dot, extension = _parts(stored)
    return _key(body if not extension or is_kept(extension) else body + dot + extension)


def completions(source: str) -> list[str]:
    """The readings of what a store makes of a name that it has to complete, the most telling first; compare with `body_key`.

    With its query, as a whole, up to its last dot. None for a name whose extension is kept.
    """
    if not is_completed(source):
        return []
    body, dot, extension = _parts(source)
    name = body + dot + extension
    readings = [*_with_query(source, name), name, body]
    return list(dict.fromkeys(key for key in map(_key, readings) if key.strip("_")))


def cut_key(source: str) -> str:
    """The longest reading of a source's name: what a stored name that was cut is the beginning of."""
    if is_completed(source):
        return next(iter(completions(source)), "")
    return _key(_parts(source)[0])


def beginning(stored: str) -> str:
    """What is left of a stored name that may have been cut: all but its extension, whatever that is."""
    return _key(_parts(stored)[0])


def is_cut(source: str, stored: str) -> bool:
    """Whether a stored name may be the beginning of a source's longer one."""
    body, whole = beginning(stored), cut_key(source)
    if len(body) < CUT_FROM or len(whole) <= len(body) or not whole.startswith(body):
        return False
    return is_completed(source) or one_extension(source).rpartition(".")[2] == one_extension(stored).rpartition(".")[2]


def is_uncertain(source: str) -> bool:
    """Whether a store may call this source's image something that can't be told from here: completed, cut, or without a name."""
    return is_completed(source) or len(cut_key(source)) > CUT_FROM


def same_name(source: str, stored: str) -> bool:
    """Whether a stored name is what the store makes of a source's."""
    return likeness(source, stored) is not None


def likeness(source: str, stored: str) -> int | None:
    """How closely a stored name follows a source's, 0 best; None where it doesn't."""
    name = source[source.rfind("/") + 1 :]
    dot = name.rfind(".")
    if (
        dot > 0
        and stored.endswith(name[dot:])
        and stored[6 : 6 + dot] == name[:dot]
        and stored[6 + dot : 8 + dot] == "__"
    ):
        return 0  # nearly all are as plain as this
    if base_name(source) == base_name(stored):
        return 0
    if one_extension(source) == one_extension(stored):
        return 1
    readings, body = completions(source), body_key(stored)
    if body in readings:
        return 2 + readings.index(body)
    if is_cut(source, stored):
        return 2 + READINGS
    return 3 + READINGS if not readings and body == cut_key(source) != "" else None


def is_kept(extension: str) -> bool:
    """Whether a store keeps this extension."""
    return extension.lower() in KEPT


def _with_query(source: str, name: str) -> list[str]:
    query = source.partition("#")[0].partition("?")[2] if "://" in source else ""
    if not query:
        return []
    whole = f"{name}?{unquote(query)}"
    body, dot, extension = whole.rpartition(".")
    return [whole, body] if dot and is_kept(extension) else [whole]


def _key(text: str) -> str:
    return folded_name(_UNSAFE.sub("_", text).replace(".", "_"))


def source_kind(image_file: str) -> Literal["url", "import", "file"]:
    """Tell where an image comes from: fetched by the store, from its import folder, or uploaded from here."""
    if image_file.startswith("import:"):
        return "import"
    return "url" if image_file[:6].lower().startswith(("http:", "https:")) else "file"
