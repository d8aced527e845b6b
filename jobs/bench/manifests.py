"""Manifests for the benchmark: what a sandbox's first filling looks like, as wanted, and what a merchant changed since."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SITE = "https://pictures.example.com/media"
Row = dict[str, Any]


def filling(products: int, images: int) -> Iterator[Row]:
    """The products 1 to N as the sandbox makes them up with --products N --images M."""
    for product_id in range(1, products + 1):
        yield {"product_id": product_id, "images": [_image(product_id, n) for n in range(1, images + 1)]}


def changed(products: int, images: int) -> Iterator[Row]:
    """The same after a day's work: three in ten products differ, by a text, an image more, one less, another order, a thumbnail."""
    chance = Random(7)  # noqa: S311  # to be repeatable, not secret
    for row in filling(products, images):
        if chance.random() < 0.3:
            _change(row, chance.choice(("text", "more", "less", "order", "thumbnail")), images)
        yield row


def _change(row: Row, kind: str, images: int) -> None:
    gallery = row["images"]
    if kind == "more" or len(gallery) < 2:
        gallery.append(_image(row["product_id"], images + 1, len(gallery)))
    elif kind == "less":
        gallery.pop()
    elif kind == "text":
        gallery[0]["description"] = "A better text"
    elif kind == "order":
        first = gallery.pop(0)
        gallery.append(first)
        for order, image in enumerate(gallery):
            image["sort_order"] = order
    else:
        gallery[0]["is_thumbnail"], gallery[-1]["is_thumbnail"] = False, True


def _image(product_id: int, n: int, order: int | None = None) -> Row:
    return {
        "image_file": f"{_SITE}/product-{product_id}-{n}.jpg",
        "description": f"View {n}",
        "sort_order": n - 1 if order is None else order,
        "is_thumbnail": n == 1,
    }


def write(path: Path, rows: Iterator[Row]) -> None:
    """Write a manifest, JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
