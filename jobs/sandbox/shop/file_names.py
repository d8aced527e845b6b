"""How the store names what it takes: pure, and the same for the same seed and number.

`<a-z>/<ddd>/<name>__<ddddd>.<ext>`, unsafe characters replaced, case kept (store-api.md 1.5).
"""

from __future__ import annotations

import re
from hashlib import sha1
from urllib.parse import unquote

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_EXTENSIONS = frozenset({"bmp", "gif", "jpg", "jpeg", "jpe", "png", "wbmp", "xbm", "webp"})
LONGEST = 190  # of a name, so that the stored one stays within the field's 255 characters with prefix and suffix
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD = 0xFFFFFFFFFFFFFFFF


def mix(seed: int, number: int) -> int:
    """Scatter a number over 64 bits (the finaliser of splitmix64), one to one for each seed."""
    value = (number * 0x9E3779B97F4A7C15 + seed * 0xD1B54A32D192ED03) & _WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _WORD
    return value ^ (value >> 31)


def source_name(source: str) -> str:
    """Return the file name at the end of a URL (decoded, without its query) or of a path."""
    if "://" not in source:
        return source.rsplit("/", 1)[-1]
    path = re.split(r"[?#]", source.split("://", 1)[1], maxsplit=1)[0]
    _, slash, name = path.rpartition("/")
    return unquote(name if slash else "", errors="replace").rsplit("/", 1)[-1]


def source_query(source: str) -> str:
    """Return what a URL asks its host for, decoded; empty where it asks for nothing."""
    if "://" not in source:
        return ""
    return unquote(source.partition("#")[0].partition("?")[2], errors="replace")


def stored_name(
    name: str,
    extension: str,
    scatter: int,
    *,
    by_bytes: bool = False,
    completed: str = "replaced",
    query: str = "",
    longest: int = LONGEST,
) -> str:
    """Return what `image_file` becomes for a source of this name; `scatter` picks letter, folder and suffix.

    The name's own extension stays if it is one of an image; else the name is `completed` with the one that the bytes call
    for: it is replaced, or that one is appended to all of the name, its query included or not, or the name is kept as it is.
    """
    stem, dot, own = name.rpartition(".")
    if not dot:
        stem, own = name, ""
    if own.lower() not in _EXTENSIONS:
        whole = f"{name}?{query}" if query and completed == "queried" else name
        stem, own = _completed(stem, dot, own, whole, extension, completed)
    body = f"{_safe(stem, by_bytes)[:longest] or 'image'}__{suffix(scatter)}"
    return f"{folder(scatter)}/{body}.{own}" if own else f"{folder(scatter)}/{body}"


def _completed(stem: str, dot: str, own: str, name: str, extension: str, way: str) -> tuple[str, str]:
    """Return stem and extension of a name that has none of an image."""
    if way == "appended" or (way == "queried" and "?" in name):
        return name, extension
    if way == "underscored":
        return name.replace(".", "_"), extension
    if way == "kept":
        return stem, _UNSAFE.sub("_", own) if dot else ""
    return stem, extension


def with_prefix(name: str, scatter: int) -> str:
    """Return an upload's name with 40 hexadecimal digits before it."""
    return f"{sha1(str(scatter).encode(), usedforsecurity=False).hexdigest()}_{name}"


def without_name(scatter: int) -> str:
    """Return twenty letters and digits in place of a name that is lost."""
    digits = "0123456789" + _LETTERS
    value = scatter * 0x2545F4914F6CDD1D1F83D9AB
    return "".join(digits[value // 36**n % 36] for n in range(20))


def folder(scatter: int) -> str:
    """Return the letter and the three digits below which a file lies."""
    return f"{_LETTERS[scatter % 26]}/{scatter // 26 % 1000:03d}"


def suffix(scatter: int) -> str:
    """Return the five digits after a stored name."""
    return f"{scatter // 26_000 % 100_000:05d}"


def _safe(stem: str, by_bytes: bool) -> str:
    text = stem.encode(errors="surrogateescape").decode("latin-1") if by_bytes else stem
    return _UNSAFE.sub("_", text)
