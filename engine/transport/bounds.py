"""Bounds on what a response may cost: bytes on the wire and bytes once unpacked."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from ..core.errors import LostError

if TYPE_CHECKING:
    import aiohttp

    from ..core.messages import Request

# A page of 250 images is about 200 kB; whatever is larger than this is no answer of the store's.
BODY_LIMIT = 8 * 1024 * 1024


# A store packs an answer in one piece; each further one costs a copy of the rest.
MEMBERS = 16


async def _read(response: aiohttp.ClientResponse, request: Request) -> bytes:
    """Read the body whole, at most BODY_LIMIT bytes of it, packed or not."""
    content = response.content
    # A small answer is mostly there with its headers: then there is nothing to wait for.
    body = content.read_nowait() if content.is_eof() else await content.readany()
    if not content.at_eof():
        parts, size = [body], len(body)
        while part := await content.readany():
            parts.append(part)
            size += len(part)
            if size > BODY_LIMIT:
                raise LostError(f"{request.method} {request.path}: the answer is over {BODY_LIMIT} bytes")
        body = b"".join(parts)
    packing = response.headers.get("Content-Encoding", "")
    if not packing or not body:
        return body
    packing = packing.strip().lower()
    if packing == "identity":
        return body
    if packing not in {"gzip", "x-gzip"}:
        raise LostError(
            f"{request.method} {request.path}: the answer is packed in a way that wasn't asked for ({packing[:40]!r})"
        )
    return _unzip(body, request)


def _unzip(packed: bytes, request: Request) -> bytes:
    plain = b""
    for _ in range(MEMBERS):
        member = zlib.decompressobj(wbits=31)
        plain += member.decompress(packed, BODY_LIMIT + 1 - len(plain))
        if len(plain) > BODY_LIMIT:
            raise LostError(f"{request.method} {request.path}: the unpacked answer is over {BODY_LIMIT} bytes")
        if not member.eof:
            raise LostError(f"{request.method} {request.path}: the packed answer breaks off")
        packed = member.unused_data
        if not packed:
            return plain
    raise LostError(f"{request.method} {request.path}: the answer is packed in over {MEMBERS} pieces")
