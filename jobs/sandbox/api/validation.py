"""What a request asks for, read and checked: the body of a write, the query of a list. Pure; raises Refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

import orjson

from ..shop.file_names import source_name, source_query
from ..shop.rules import Draft
from .messages import JSON, Call, Refusal, UploadedFile, invalid, missing, read_only, refused, unsupported

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..config import Config

FORM = "multipart/form-data"
LONGEST_URL = 255
HIGHEST_LIMIT = 250
_READ_ONLY = frozenset({"id", "product_id", "date_created", "zoom_url", "thumbnail_url", "standard_url", "tiny_url"})
_WRITABLE = frozenset({"image_file", "description", "sort_order", "is_thumbnail"})
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(slots=True, frozen=True)
class Source:
    """Where a write's picture comes from: a URL to fetch, a name in the import folder, or a file that came along."""

    kind: Literal["url", "import", "upload"]
    text: str
    upload: UploadedFile | None = None


@dataclass(slots=True, frozen=True)
class WriteRequest:
    """A write that has been read and found right: its fields and, where it brings one, its picture's source."""

    draft: Draft
    source: Source | None


def read_write(call: Call, config: Config) -> WriteRequest:
    """Read the body of a POST or PUT. Raises Refusal, naming every fault that it has."""
    values = _form(call) if call.content_type == FORM and config.upload_sources else _body(call)
    if call.content_type == JSON and not (config.url_sources or config.import_sources) and "image_file" in values:
        raise Refusal(refused(415, {"message": "Only multipart/form-data is supported for this request."}))
    errors = [each for name, value in values.items() if (each := _fault(name, value))]
    needed = call.method == "POST" or config.put_needs_image_file
    if needed and call.upload is None and "image_file" not in values:
        errors.append(missing("image_file"))
    if errors:
        raise Refusal(refused(400, *errors))
    source = _source(call, values, config)
    name = "" if source is None else source.text if call.upload else source_name(source.text)
    draft = Draft(
        name=name,
        uploaded=call.upload is not None,
        description=values.get("description"),
        sort_order=values.get("sort_order"),
        is_thumbnail=values.get("is_thumbnail"),
        query="" if source is None or call.upload else source_query(source.text),
    )
    return WriteRequest(draft, source)


def _body(call: Call) -> dict[str, Any]:
    if call.content_type != JSON:
        raise Refusal(refused(415, {"message": f"The content type '{call.content_type}' is not supported."}))
    try:
        values = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        raise Refusal(refused(400, {"message": "The request body is not a valid JSON object."}))
    return values


def _form(call: Call) -> dict[str, Any]:
    """Return a form's text fields with the types that JSON would give them; what can't be read stays text."""
    values: dict[str, Any] = dict(call.form or {})
    order = values.get("sort_order")
    if order is not None and _WHOLE.fullmatch(order):
        values["sort_order"] = int(order)
    flag = values.get("is_thumbnail")
    values.update({} if flag is None else {"is_thumbnail": _TRUTH.get(flag, flag)})
    return values


def _fault(name: str, value: Any) -> dict[str, Any] | None:
    if name in _READ_ONLY:
        return read_only(name)
    if name not in _WRITABLE:
        return unsupported(name)
    fits = {
        "image_file": isinstance(value, str) and value != "",
        "description": isinstance(value, str),
        "sort_order": isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31,
        "is_thumbnail": isinstance(value, bool),
    }
    return None if fits[name] else invalid(name)


def _source(call: Call, values: dict[str, Any], config: Config) -> Source | None:
    if call.upload is not None:
        return Source("upload", source_name(call.upload.name.replace("\\", "/")), call.upload)
    text = values.get("image_file")
    if text is None:
        return None
    if len(text) > LONGEST_URL:
        raise Refusal(refused(400, invalid("image_file")))  # without a reason, as the store does it
    is_url = text.lower().startswith(("http://", "https://"))
    return Source("url" if is_url and config.url_sources else "import", text)


@dataclass(slots=True, frozen=True)
class Page:
    """Which part of a list is asked for."""

    page: int
    limit: int

    def of(self, count: int) -> slice:
        """Return the part of a list of this length."""
        start = (self.page - 1) * self.limit
        return slice(min(start, count), min(start + self.limit, count))


def read_query(query: str, allowed: Collection[str]) -> dict[str, str]:
    """Return the query's parameters. Raises Refusal for one that this list doesn't know."""
    if not query:
        return {}
    values = dict(parse_qsl(query, keep_blank_values=True))
    errors = [unsupported(name) for name in values if name not in allowed]
    if errors:
        raise Refusal(refused(400, *errors))
    return values


def read_number(values: dict[str, str], name: str, default: int) -> int:
    """Return a parameter that counts from 1. Raises Refusal where it doesn't."""
    text = values.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0):
        raise Refusal(refused(400, invalid(name)))
    return int(text)


def read_page(values: dict[str, str], config: Config) -> Page:
    """Return page and limit: 50 by default, at most 250 (store-api.md 1.4). Raises Refusal."""
    limit = read_number(values, "limit", 50)
    if limit > HIGHEST_LIMIT:
        if config.over_limit == "413":
            message = f"The limit parameter exceeded the maximum of {HIGHEST_LIMIT}."
            raise Refusal(refused(413, {"message": message}))
        limit = HIGHEST_LIMIT
    return Page(read_number(values, "page", 1), limit)
