"""Reads what came over the wire into a Call: headers, JSON bodies, forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import BodyPartReader, hdrs, web

from ..api.messages import JSON, Call, UploadedFile
from ..api.validation import FORM

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

LARGEST_CALL = 16 * 1024 * 1024  # bytes of a request; above it the gateway refuses, below it the store judges


async def read_call(request: BaseRequest, target: str) -> Call:
    """Return the call that this request is. Raises HTTPRequestEntityTooLarge."""
    headers = request.headers
    call = Call(
        request.method,
        _clean(target),
        token=headers.get("X-Auth-Token", ""),
        accept=headers.get("Accept", ""),
        app=_clean(headers.get("X-Auth-Client") or headers.get("User-Agent") or ""),
    )
    if request.method in (hdrs.METH_POST, hdrs.METH_PUT):
        await _read_body(request, call)
    return call


def _clean(text: str) -> str:
    """Return what came in a header with U+FFFD for what is no UTF-8, so that it can be said again in JSON."""
    return text if text.isascii() else text.encode(errors="surrogateescape").decode(errors="replace")


async def _read_body(request: BaseRequest, call: Call) -> None:
    call.content_type = _clean(request.content_type)
    if call.content_type != FORM:
        call.body = await request.read()
        return
    call.form = {}
    try:
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader):
                await _read_part(part, call)
    except ValueError:
        call.body, call.content_type = b"", JSON  # refused as a body that can't be read


async def _read_part(part: BodyPartReader, call: Call) -> None:
    data = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        data += chunk
        if len(data) > LARGEST_CALL:
            raise web.HTTPRequestEntityTooLarge(LARGEST_CALL, len(data))
    if part.filename is not None and part.name == "image_file":
        call.upload = UploadedFile(_clean(part.filename), bytes(data))
    elif call.form is not None and part.name is not None:
        call.form[_clean(part.name)] = data.decode(errors="replace")
