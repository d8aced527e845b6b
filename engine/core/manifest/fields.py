"""Rules for the values of each manifest field, in JSON Lines and CSV (contract, Manifest). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..image_files import source_kind
from ..text import found, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    # Returns the error of a local image file, None without one; the only check that needs the disk.
    CheckLocal = Callable[[str], str | None]

FIELDS = ("image_file", "description", "sort_order", "is_thumbnail", "version")
MAX_FAULTS = 100  # contract, Manifest
MAX_IMAGES = 1_000  # in a product; store-api.md 1.8
MAX_URL = 255  # characters; store-api.md 1.8
MAX_LINE = 4 * 1024 * 1024  # bytes: 1,000 images of 4 KiB each; parsing one line takes up to 20 times that in memory
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
MAX_PRODUCT_ID = 2**63 - 1
_HOSTS = 8
_KNOWN = 4_096

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_STOREFRONT = re.compile(r"/(?:product_images|content)/")
_PLAIN_HOST = re.compile(r"https?://[a-z0-9.-]+/")
_HOST = re.compile(r'[^\s"<>\\^`{|}]+')


def image_file_fault(value: Any) -> str | None:
    """Return the error in the text of an `image_file`, None without one."""
    if type(value) is not str:
        return f"must be a URL, a path or import:NAME, not {found(value)}"
    if not value:
        return "must not be empty"
    if _CONTROL.search(value):
        return f"must not hold control characters: {quoted(value)}"
    match source_kind(value):
        case "url":
            return _url_fault(value)
        case "import":
            return _import_fault(value.removeprefix("import:"))
    return _path_fault(value)


def _url_fault(url: str) -> str | None:
    if len(url) > MAX_URL:
        return f"a URL may have {MAX_URL} characters, this one has {len(url):,}: {quoted(url)}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    return None if _HOST.fullmatch(host) else f"is not a URL with a valid host: {quoted(url)}"


def _import_fault(name: str) -> str | None:
    if not name:
        return "import: needs the name of a file in the store's import folder"
    if len(name) > MAX_URL:
        return f"an import name may have {MAX_URL} characters, this one has {len(name):,}: {quoted(name)}"
    return _inside_fault(name, "the store's import folder")


def _path_fault(path: str) -> str | None:
    if _SCHEME.match(path):
        return f"must be an http or https URL, a path or import:NAME, not {quoted(path)}"
    return _inside_fault(path, "the folder of local images")


def _inside_fault(path: str, folder: str) -> str | None:
    if _STOREFRONT.match(path):
        return (
            f"is relative to the storefront, not to {folder}: {quoted(path)}. "
            "Put https:// and the shop's host before it, or copy the file there"
        )
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", path):
        return f"must be relative to {folder}, not absolute: {quoted(path)}"
    if ".." in re.split(r"[/\\]", path):
        return f'must not leave {folder} by "..": {quoted(path)}'
    return None


def product_id_fault(value: Any) -> str | None:
    """Return an error unless the value is an integer from 1 to 2^63-1."""
    if type(value) is int and 1 <= value <= MAX_PRODUCT_ID:
        return None
    reason = f"must be a positive integer, not {found(value)}"
    if type(value) is str and (value := value.strip()).startswith("0") and value.isdigit():
        reason += ". With leading zeros it looks like a SKU; product_id is the store's own number of the product"
    return reason


def sort_order_fault(value: Any) -> str | None:
    """Return an error unless the value is a 32-bit integer (store-api.md 1.1)."""
    if type(value) is int and INT32_MIN <= value <= INT32_MAX:
        return None
    return f"must be an integer from {INT32_MIN} to {INT32_MAX}, not {found(value)}"


def flag_fault(value: Any) -> str | None:
    """Return an error unless the value is true or false."""
    return None if type(value) is bool else f"must be true or false, not {found(value)}"


def text_fault(value: Any) -> str | None:
    """Return an error unless the value is a string."""
    return None if type(value) is str else f"must be a string, not {found(value)}"


RULES: dict[str, Callable[[Any], str | None]] = {
    "product_id": product_id_fault,
    "image_file": image_file_fault,
    "description": text_fault,
    "sort_order": sort_order_fault,
    "is_thumbnail": flag_fault,
    "version": text_fault,
}


class ImageFiles:
    """Checks each `image_file` by its text, and local files through `check_local`.

    `uploads` counts the local files. Prefixes of valid URLs with one spelling (`https://old.example.com/`) are cached, a few
    of them in `hosts` for the hot loop; other URLs are parsed each time.
    """

    def __init__(self, check_local: CheckLocal) -> None:
        self.hosts: tuple[str, ...] = ()
        self.uploads = 0
        self._check_local = check_local
        self._known: set[str] = set()

    def fault(self, image_file: Any) -> str | None:
        """Return the error in an `image_file`, None without one."""
        if (
            type(image_file) is str
            and len(image_file) <= MAX_URL
            and image_file.isascii()
            and image_file.isprintable()
            and image_file[: image_file.find("/", 8) + 1] in self._known
        ):
            return None
        reason = image_file_fault(image_file)
        if reason is not None:
            return reason
        match source_kind(image_file):
            case "file":
                self.uploads += 1
                return self._check_local(image_file)
            case "url" if _PLAIN_HOST.fullmatch(host := image_file[: image_file.find("/", 8) + 1]):
                self._learn(host)
        return None

    def _learn(self, host: str) -> None:
        if len(self._known) < _KNOWN:
            self._known.add(host)
        if len(self.hosts) < _HOSTS:
            self.hosts = (*self.hosts, host)

    def is_spelled_once(self, image_file: str) -> bool:
        """Return True if a valid source has certainly no other spelling.

        That is a cached host, and no `%`, fragment or dots in the path.
        """
        return (
            image_file[: image_file.find("/", 8) + 1] in self._known
            and "%" not in image_file
            and "#" not in image_file
            and "/." not in image_file
        )


def too_many(count: int) -> str:
    """Return the reason that a product has too many images."""
    return f"a product may have {MAX_IMAGES:,} images, this one has {count:,}"
