"""The store as the engine speaks of it: dialect and gate put together. It knows what may be sent twice, and no paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..core.errors import RefusedError
from ..core.messages import Resend, describe_call
from ..core.plan.summary import PAGE, SURE_PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from ..core.dialects.protocol import Dialect
    from ..core.errors import StoreError
    from ..core.messages import Request, Response
    from ..core.model import StoredImage
    from .client import ApiClient

T = TypeVar("T")

_MOST_PAGES = 64
"""A product has 1,000 images at most (store-api.md 1.8), 20 pages of 50; a listing that goes on beyond is sick."""
_MOST_PRODUCTS = 10_000_000
"""More than any store has: where the walk ends even if the store's count goes on with it."""
_MORE_PRODUCTS = 1000
"""So many may be named, and twice the store's own count, while others add and delete some; what goes on beyond is sick."""


class Store:
    """List, get, count, create, update and delete. Raises what `ApiClient.send` raises."""

    def __init__(self, client: ApiClient, dialect: Dialect) -> None:
        self._client = client
        self._dialect = dialect

    # What only hands a call on is no coroutine of its own: each one is gone through at every wake-up of the call.

    def images(self, product_id: int) -> Awaitable[list[StoredImage]]:
        """All images of a product, each once, lowest id first."""
        return self._pages(product_id, self._dialect.read_images)

    async def images_with_urls(self, product_id: int) -> list[StoredImage]:
        """As `images`, each with the address of its largest rendition."""
        return await self._pages(product_id, self._dialect.read_images_with_urls)

    async def _pages(self, product_id: int, read: Callable[[Response], list[StoredImage]]) -> list[StoredImage]:
        images = await self._client.send(self._dialect.list_images(product_id, 1), read, own=True)
        if len(images) < SURE_PAGE and len({image.image_id for image in images}) == len(images):
            return images
        found = {image.image_id: image for image in images}
        full = len(images)
        for page in range(2, _MOST_PAGES):
            if full not in (SURE_PAGE, PAGE):
                return list(found.values())
            images = await self._client.send(self._dialect.list_images(product_id, page), read, own=True)
            full = len(images)
            if all(image.image_id in found for image in images):
                return list(found.values())
            found.update((image.image_id, image) for image in images)
        raise RefusedError(
            f"the listing of product {product_id} goes on after {_MOST_PAGES} pages; a product has 1,000 images at most"
        )

    async def image(self, product_id: int, image_id: int) -> StoredImage:
        """One image."""
        return await self._client.send(
            self._dialect.get_image(product_id, image_id), self._dialect.read_image, own=True
        )

    async def count(self) -> int:
        """How many images the whole store has."""
        return await self._ask(self._dialect.count_images(), self._dialect.read_count)

    async def product_ids(self) -> AsyncIterator[int]:
        """Every product of the store, ascending.

        Raises RefusedError where the list repeats itself, or names more products than the store can have.
        """
        last = named = counted = 0
        while ids := await self._ask(request := self._dialect.list_products(last + 1), self._dialect.read_product_ids):
            fresh = sorted({product_id for product_id in ids if product_id > last})
            if not fresh:
                raise _sick(request, "names products that were not asked for, and none after them")
            named += len(fresh)
            if named > _plausible(counted):
                counted = await self._ask(self._dialect.count_products(), self._dialect.read_count)
            if named > _plausible(counted):
                raise _sick(request, f"goes on after {named:,} products, but the store counts {counted:,}")
            for product_id in fresh:
                yield product_id
            last = fresh[-1]

    async def _ask(self, request: Request, read: Callable[[Response], T]) -> T:
        """What is asked of the whole store: no product's failure would name the call, so the error does."""
        try:
            return await self._client.send(request, read)
        except RefusedError as error:
            raise type(error)(describe_call(request, error), error.status) from None

    def create(
        self, product_id: int, image_file: str, fields: dict[str, Any], picture: Path | None
    ) -> Awaitable[StoredImage]:
        """Make an image; LostError means that it may exist."""
        request = self._dialect.create_image(product_id, image_file, fields, picture)
        return self._client.send(request, self._dialect.read_created, Resend.CHECK_FIRST, own=True)

    async def update(self, product_id: int, image_id: int, fields: dict[str, Any]) -> StoredImage:
        """Write fields of an image; one that moves siblings is not sent twice unseen (LostError)."""
        replay = Resend.CHECK_FIRST if "sort_order" in fields else Resend.SAFE
        request = self._dialect.update_image(product_id, image_id, fields)
        return await self._client.send(request, self._dialect.read_image, replay, own=True)

    def wait(self, error: StoreError) -> Awaitable[None]:
        """Wait for the time that the store has named with a failure, if it has named one."""
        return self._client.wait(error.after or 0.0, error.reason)

    async def delete(self, product_id: int, image_id: int) -> None:
        """Remove one image; MissingError means that it is gone already."""
        await self._client.send(self._dialect.delete_image(product_id, image_id), self._dialect.read_nothing, own=True)

    async def delete_page(self, product_id: int) -> None:
        """Remove a page of a product's images; not sent twice unseen, for somebody may add one meanwhile (LostError)."""
        await self._client.send(
            self._dialect.delete_images(product_id), self._dialect.read_nothing, Resend.CHECK_FIRST, own=True
        )


def _plausible(counted: int) -> int:
    return min(2 * counted + _MORE_PRODUCTS, _MOST_PRODUCTS)


def _sick(request: Request, what: str) -> RefusedError:
    return RefusedError(f"{request.method} {request.path}: the list of products {what}; it can't be read to its end")
