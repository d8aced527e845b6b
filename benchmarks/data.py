"""Large files for the parts that need no store: a manifest, the store's pages for it as the sandbox would answer, an unsorted manifest."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from pathlib import Path

_CDN = "https://cdn11.bigcommerce.com/s-bench/products"
_SITE = "https://pictures.example.com/media"


def write(folder: Path, products: int, images: int) -> None:
    """Write `manifest.jsonl`, `unsorted.jsonl` and `pages.jsonl` (a listing a line) for products 1 to N with so many images each."""
    lines = []
    with (folder / "manifest.jsonl").open("wb") as manifest, (folder / "pages.jsonl").open("wb") as pages:
        for product_id in range(1, products + 1):
            numbers = range(1, images + 1)
            line = orjson.dumps({"product_id": product_id, "images": [_wanted(product_id, n) for n in numbers]}) + b"\n"
            manifest.write(line)
            lines.append(line)
            present = [_present(product_id, n, (product_id - 1) * images + n) for n in numbers]
            pages.write(orjson.dumps(present) + b"\n")
    Random(1).shuffle(lines)
    (folder / "unsorted.jsonl").write_bytes(b"".join(lines))


def _wanted(product_id: int, n: int) -> dict[str, Any]:
    name = f"product-{product_id}-{n}.jpg"
    return {"image_file": f"{_SITE}/{name}", "description": f"View {n}", "sort_order": n - 1, "is_thumbnail": n == 1}


def _present(product_id: int, n: int, image_id: int) -> dict[str, Any]:
    """An image as V2 lists it, renditions and all (store-api.md 1.1)."""
    name = f"product-{product_id}-{n}__{image_id * 7919 % 100_000:05d}"
    renditions = f"{_CDN}/{product_id}/images/{image_id}/{name}.1700000000"
    return {
        "id": image_id,
        "product_id": product_id,
        "image_file": f"p/022/{name}.jpg",
        "is_thumbnail": n == 1,
        "sort_order": n - 1,
        "description": f"View {n}",
        "date_created": "Tue, 14 Nov 2023 22:13:20 +0000",
        "zoom_url": f"{renditions}.1280.1280.jpg?c=1",
        "thumbnail_url": f"{renditions}.386.513.jpg?c=1",
        "standard_url": f"{renditions}.220.290.jpg?c=1",
        "tiny_url": f"{renditions}.44.58.jpg?c=1",
    }
