"""All errors of one JSON line.

Slow and complete; used for lines that `json_lines` rejects.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from ..errors import Fault
from ..source_addresses import address
from ..text import found, printable, quoted
from .fields import FIELDS, MAX_FAULTS, MAX_IMAGES, MAX_URL, RULES, product_id_fault, too_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .fields import ImageFiles


_BACKSLASH, _QUOTE = ord("\\"), b'"'


def explain(line: bytes, number: int, image_files: ImageFiles) -> list[Fault]:
    """Return every error of the line with its field.

    Empty for a valid line.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return [Fault(number, None, _broken(line, error))]
    if type(value) is not dict:
        return [Fault(number, None, f'must be an object with "product_id" and "images", not {found(value)}')]
    product_id = value.get("product_id")
    if product_id_fault(product_id) is not None:
        product_id = None
    each = islice(_line_faults(value, image_files), MAX_FAULTS)
    faults = [Fault(number, field, reason, product_id, shown) for field, reason, shown in each]
    twice = repeated_keys(line)[: MAX_FAULTS - len(faults)]
    faults += [Fault(number, printable(name, 60), "occurs twice in one object", product_id) for name in twice]
    return faults


def quotes(line: bytes) -> int:
    """Return the number of string delimiters in a valid JSON line.

    Two for each key or string.
    """
    if _BACKSLASH not in line:
        return line.count(_QUOTE)
    bare = line.replace(b"\\\\", b"")
    return bare.count(_QUOTE) - bare.count(b'\\"')


def repeated_keys(line: bytes) -> list[str]:
    """Return the paths of keys that occur twice in one object of a JSON line.

    orjson silently keeps the last one.
    """
    twice: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> _Object:
        made = _Object(pairs)
        if len(made) < len(pairs):
            made.twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        return made

    def gather(value: Any, place: str) -> None:
        if isinstance(value, _Object):
            twice.extend(place + name for name in value.twice)
            for name, each in value.items():
                gather(each, f"{place}{name}.")
        elif isinstance(value, list):
            for at, each in enumerate(value):
                gather(each, f"{place.removesuffix('.')}[{at}].")

    try:
        gather(json.loads(line.decode(), object_pairs_hook=note), "")
    except (ValueError, RecursionError):
        return []  # too deep, or numbers out of range: reported as other errors
    return twice


class _Object(dict[str, Any]):
    """A JSON object that knows its repeated keys."""

    twice: list[str] = []  # noqa: RUF012  # never changed, only replaced


def same_source(image_file: str, other: str, place: str) -> str:
    """Return the reason that two images have the same source, with both spellings if they differ."""
    if image_file == other:
        return f"is the same as that of {place}"
    return f"is the same as that of {place}, written in another way: {quoted(image_file)} and {quoted(other)}"


def echo(image_file: Any) -> str | None:
    """Return the `image_file` if an error can carry it whole, else None."""
    return image_file if type(image_file) is str and len(image_file) <= MAX_URL else None


def _broken(line: bytes, error: orjson.JSONDecodeError) -> str:
    if not line.endswith(b"\n"):
        return f"the input ends in the middle of this line: not whole JSON ({error.msg})"
    try:
        line.decode()
    except UnicodeDecodeError as bad:
        return f"not UTF-8: byte 0x{line[bad.start]:02x} at column {bad.start + 1}"
    return f"not JSON: {error.msg} at column {error.colno}"


def _line_faults(value: dict[str, Any], image_files: ImageFiles) -> Iterator[tuple[str, str, str | None]]:
    for name in value:
        if name not in {"product_id", "images"}:
            yield printable(name, 40), 'unknown field: a line has "product_id" and "images"', None
    for name in ("product_id", "images"):
        if name not in value:
            yield name, "is missing", None
    if "product_id" in value and (reason := product_id_fault(value["product_id"])):
        yield "product_id", reason, None
    images = value.get("images", [])
    if type(images) is not list:
        yield "images", f"must be an array, not {found(images)}", None
    elif len(images) > MAX_IMAGES:
        yield "images", too_many(len(images)), None
    else:
        yield from _images_faults(images, image_files)


def _images_faults(images: list[Any], image_files: ImageFiles) -> Iterator[tuple[str, str, str | None]]:
    first: dict[str, int] = {}
    thumbnail: int | None = None
    for at, image in enumerate(images):
        place = f"images[{at}]"
        if type(image) is not dict:
            yield place, f"must be an object, not {found(image)}", None
            continue
        image_file = image.get("image_file")
        shown = echo(image_file)
        for name, reason in _image_faults(image, image_files):
            yield f"{place}.{name}", reason, shown
        if type(image_file) is str and (other := first.setdefault(address(image_file), at)) != at:
            yield f"{place}.image_file", same_source(image_file, images[other]["image_file"], f"images[{other}]"), shown
        if image.get("is_thumbnail") is True:
            if thumbnail is not None:
                yield f"{place}.is_thumbnail", f"images[{thumbnail}] is the product's thumbnail already", shown
            else:
                thumbnail = at


def _image_faults(image: dict[str, Any], image_files: ImageFiles) -> Iterator[tuple[str, str]]:
    if "image_file" not in image:
        yield "image_file", "is missing"
    for name, value in image.items():
        if name == "image_file":
            reason = image_files.fault(value)
        elif name not in FIELDS:
            reason = f"unknown field: an image has {', '.join(FIELDS)}"
        elif value is None:
            reason = "must not be null: leave the field out instead"
        else:
            reason = RULES[name](value)
        if reason is not None:
            yield printable(name, 40), reason
