"""Names of images.

Kind of source, and the name under which the store keeps it.

The store keeps `a b(2).JPG` as `k/392/a_b_2___43888.JPG`. On a second import the suffix is added again, and a CDN copy
also has rendition parts (store-api.md 1.5). `base_name` removes all of it, from sources and stored names alike. A
source with an extension that the store does not keep (`media?id=7`, `photo.jfif`, `photo.jpg:large`) gets another
one, by a rule that is not documented: `completions` returns the possible names. A long name may be cut at an unknown
place: `cut_key` compares beginnings. Equal names make a match likely and never prove it.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import unquote

GONE = "//store/"
"""Prefix of a stored image without a source. An absolute path is an error in a manifest, so none can equal it."""
KEPT_EXTENSIONS = frozenset({"bmp", "gif", "jpg", "jpeg", "jpe", "png", "wbmp", "xbm", "webp"})
"""Extensions of the accepted image kinds (store-api.md 1.8); the store keeps them."""
CUT_FROM = 50
"""Length in characters from which a stored name may be cut; an image field holds 255, no store was seen to keep less."""
MAX_COMPLETIONS = 4
"""Maximum number of names that `completions` returns."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_TAIL = re.compile(r"(?:__\d{5}(?:\.\d{9,11})?(?:\.\d{1,5}\.\d{1,5})?)+$")
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{40}_+")
_RUN = re.compile(r"_{2,}")


def kind(image_file: str) -> str:
    """Return the kind of a source.

    "url", "import", "file" (contract, Manifest) or "gone".

    "gone" is an image that undo finds in the store and that cannot be created again; a manifest cannot name one.
    """
    return "gone" if image_file.startswith(GONE) else source_kind(image_file)


def basename(image_file: str) -> str:
    """Return the last part of a path or URL, without query and fragment, percent-decoded."""
    if "://" in image_file:
        image_file = image_file.partition("#")[0].partition("?")[0]
    elif image_file.startswith("import:"):
        image_file = image_file[7:]
    name = image_file.rpartition("/")[2]
    return unquote(name) if "%" in name else name


def base_name(image_file: str) -> str:
    """Return the name without the store's suffixes, the same for source and stored name."""
    body, dot, extension = _parts(image_file)
    return f"{body}{dot}{extension.lower()}"


def _parts(image_file: str) -> tuple[str, str, str]:
    """Return body, dot and extension of the name without the store's suffixes."""
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
    """Return a base name with runs of `_` folded.

    The number of `_` that the store writes for one character outside ASCII is not documented.
    """
    return _RUN.sub("_", name_stem)


def one_extension(image_file: str) -> str:
    """Return the folded base name with `jpg` for all JPEG extensions."""
    body, dot, extension = folded_name(base_name(image_file)).rpartition(".")
    return f"{body}{dot}{'jpg' if extension in {'jpeg', 'jpe'} else extension}"


def is_completed(image_file: str) -> bool:
    """Return True if the store has to complete this source's name with an extension."""
    return basename(image_file).rpartition(".")[2].lower() not in KEPT_EXTENSIONS or "." not in basename(image_file)


def body_key(stored: str) -> str:
    """Return the key of a stored name without its extension, to compare with `completions`."""
    body, dot, extension = _parts(stored)
    return _key(body if not extension or is_kept(extension) else body + dot + extension)


def completions(source: str) -> list[str]:
    """Return the possible stored names of a source that the store completes.

    The most specific first: with its query, as a whole, up to its last dot. Empty if the extension is kept. Compare them
    with `body_key`.
    """
    if not is_completed(source):
        return []
    body, dot, extension = _parts(source)
    name = body + dot + extension
    names = [*_with_query(source, name), name, body]
    return list(dict.fromkeys(key for key in map(_key, names) if key.strip("_")))


def cut_key(source: str) -> str:
    """Return the longest possible stored name of a source, to compare with `beginning`."""
    if is_completed(source):
        return next(iter(completions(source)), "")
    return _key(_parts(source)[0])


def beginning(stored: str) -> str:
    """Return the key of a stored name that may have been cut, without its extension."""
    return _key(_parts(stored)[0])


def is_cut(source: str, stored: str) -> bool:
    """Return True if a stored name may be the beginning of a source's longer one."""
    body, whole = beginning(stored), cut_key(source)
    if len(body) < CUT_FROM or len(whole) <= len(body) or not whole.startswith(body):
        return False
    return is_completed(source) or one_extension(source).rpartition(".")[2] == one_extension(stored).rpartition(".")[2]


def is_uncertain(source: str) -> bool:
    """Return True if the stored name cannot be predicted.

    Completed, cut or empty.
    """
    return is_completed(source) or len(cut_key(source)) > CUT_FROM


def same_name(source: str, stored: str) -> bool:
    """Return True if `stored` is a possible stored name of `source`."""
    return likeness(source, stored) is not None


def likeness(source: str, stored: str) -> int | None:
    """Return the distance between source and stored name: 0 is best.

    None is no match.
    """
    name = source[source.rfind("/") + 1 :]
    dot = name.rfind(".")
    if (
        dot > 0
        and stored.endswith(name[dot:])
        and stored[6 : 6 + dot] == name[:dot]
        and stored[6 + dot : 8 + dot] == "__"
    ):
        return 0  # the fast path: nearly all names are this plain
    if base_name(source) == base_name(stored):
        return 0
    if one_extension(source) == one_extension(stored):
        return 1
    names, body = completions(source), body_key(stored)
    if body in names:
        return 2 + names.index(body)
    if is_cut(source, stored):
        return 2 + MAX_COMPLETIONS
    return 3 + MAX_COMPLETIONS if not names and body == cut_key(source) != "" else None


def is_kept(extension: str) -> bool:
    """Return True if the store keeps this extension."""
    return extension.lower() in KEPT_EXTENSIONS


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
    """Return "url" (the store fetches it), "import" (its import folder) or "file" (upload)."""
    if image_file.startswith("import:"):
        return "import"
    return "url" if image_file[:6].lower().startswith(("http:", "https:")) else "file"
