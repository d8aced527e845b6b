"""Products and images as the store shows them: field names, dates, addresses of renditions (store-api.md 1.1, 1.5, 2). Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..shop.catalog import EPOCH

if TYPE_CHECKING:
    from ..shop.catalog import Image, Product

SIZES = {"zoom_url": "1280.1280", "thumbnail_url": "386.513", "standard_url": "220.290", "tiny_url": "44.58"}
_ALWAYS = ("id", "name", "date_modified", "primary_image")
_NO_PICTURE = {"id": 0, **dict.fromkeys(SIZES)}


@lru_cache(maxsize=4096)
def date(seconds: int) -> str:
    """Return a time as RFC 2822 has it, in +0000."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


class Addresses:
    """Makes the addresses that the store gives out; `origin` is scheme, host and port."""

    def __init__(self, origin: str, store_hash: str) -> None:
        self.origin = origin
        self._cdn = f"{origin}/s-{store_hash}/products"
        self._api = f"{origin}/stores/{store_hash}/v2"

    def renditions(self, product_id: int, image: Image) -> dict[str, str]:
        """Return the four renditions of an image."""
        stem, _, extension = image.image_file.rpartition("/")[2].rpartition(".")
        head = f"{self._cdn}/{product_id}/images/{image.image_id}/{stem}.{image.modified}."
        tail = f".{extension}?c=1"
        return {name: head + size + tail for name, size in SIZES.items()}

    def resource(self, path: str) -> dict[str, str]:
        """Return a link to a collection of the API."""
        return {"url": f"{self._api}{path}", "resource": path}


def listed_image(product_id: int, image: Image, addresses: Addresses) -> dict[str, Any]:
    """Return an image as GET shows it; no description is null there (store-api.md 1.1)."""
    return {
        "id": image.image_id,
        "product_id": product_id,
        "image_file": image.image_file,
        "is_thumbnail": image.is_thumbnail,
        "sort_order": image.sort_order,
        "description": image.description or None,
        "date_created": date(image.created),
        **addresses.renditions(product_id, image),
    }


def written_image(product_id: int, image: Image) -> dict[str, Any]:
    """Return an image as POST and PUT show it: without renditions, no description is empty."""
    return {
        "id": image.image_id,
        "product_id": product_id,
        "image_file": image.image_file,
        "is_thumbnail": image.is_thumbnail,
        "sort_order": image.sort_order,
        "description": image.description,
        "date_created": date(image.created),
    }


def product(each: Product, addresses: Addresses) -> dict[str, Any]:
    """Return a product with as many fields as enumerating the store takes."""
    thumbnail = each.thumbnail()
    return {
        "id": each.product_id,
        "name": each.name,
        "type": "physical",
        "sku": each.sku,
        "price": "10.0000",
        "is_visible": True,
        "date_created": date(EPOCH),
        "date_modified": date(EPOCH),
        "images": addresses.resource(f"/products/{each.product_id}/images"),
        "primary_image": _NO_PICTURE
        if thumbnail is None
        else {"id": thumbnail.image_id, **addresses.renditions(each.product_id, thumbnail)},
    }


def shrunk(value: dict[str, Any], include: str | None, exclude: str | None) -> dict[str, Any]:
    """Return a product with the fields asked for; some are always there (store-api.md section 2)."""
    left_out = set((exclude or "").split(","))
    wanted = None if include is None or include.startswith("@") else set(include.split(","))
    return {
        name: content
        for name, content in value.items()
        if name in _ALWAYS or (name not in left_out and (wanted is None or name in wanted))
    }
