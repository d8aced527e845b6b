"""A wire that shows the first products of a store and no more, so that a sample of a large store costs what it says.

Stands between the engine and its wire; what it lets through it doesn't change, but for the pages that list products.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from imageferry.core.dialects import v2
from imageferry.core.errors import StoreError
from imageferry.core.messages import Response

if TYPE_CHECKING:
    from imageferry.core.messages import Request
    from imageferry.transport.client import Transport

_PRODUCTS = v2.list_products(1).path.partition("?")[0]


class LimitedTransport:
    """`ids` are the products that were shown so far, ascending, `most` of them at most. `wire` is set when there is one."""

    def __init__(self, most: int) -> None:
        self.ids: list[int] = []
        self.transport: Transport | None = None
        self._most = most

    async def __call__(self, request: Request) -> Response:
        """Send the request; once enough products were shown, a page of products is empty without a call."""
        assert self.transport is not None, "there is no wire before the run has begun"
        if request.path.partition("?")[0] != _PRODUCTS:
            return await self.transport(request)
        room = self._most - len(self.ids)
        if room <= 0:
            return Response(200, {}, b"[]")
        answer = await self.transport(request)
        if answer.status != 200:
            return answer
        last = self.ids[-1] if self.ids else 0
        try:
            ids = sorted({each for each in v2.read_product_ids(answer) if each > last})[:room]
        except StoreError:
            return answer  # the engine knows what to do about it
        self.ids += ids
        return Response(answer.status, answer.headers, json.dumps([{"id": each} for each in ids]).encode())
