"""The store's state on disk, and how it comes back from there.

A kept state is JSON Lines: a header, then each product that somebody has written to. It is replaced whole, at the end.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from ..shop.catalog import Catalogue, Image, Product
from ..shop.rules import Shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..config import Config
    from .picture_store import PictureStore

_FORMAT = "imageferry-sandbox-state-1"


def open_store(config: Config) -> Shop:
    """Return the store as it was kept, or filled with as many products and images as the configuration says; hash and token are settled on the way.

    Raises OSError where a file can't be read, ValueError, naming the line, where it makes no sense.
    """
    kept = config.state is not None and config.state.exists()
    catalogue = (
        _load(config, config.state) if kept and config.state else Catalogue(config.products, config.images, config.seed)
    )
    config.store_hash = config.store_hash or secrets.token_hex(5)
    config.access_token = config.access_token or secrets.token_hex(16)
    return Shop(config, catalogue)


def save(config: Config, shop: Shop, album: PictureStore) -> None:
    """Write state and pictures to where the configuration says, if anywhere. Raises OSError."""
    if config.state is None:
        return
    opened = shop.catalogue.opened.values()
    album.save(image.picture for product in opened for image in product.images)
    fresh = config.state.with_name(config.state.name + ".new")
    with fresh.open("wb") as out:
        out.writelines(_lines(config, shop.catalogue))
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(config.state)


def _lines(config: Config, catalogue: Catalogue) -> Iterator[bytes]:
    header = {
        "format": _FORMAT,
        "store_hash": config.store_hash,
        "access_token": config.access_token,
        "products": catalogue.products,
        "images": catalogue.images,
        "seed": catalogue.seed,
        "next_image_id": catalogue.next_image_id,
        "names_given": catalogue.names_given,
        "removed": sorted(catalogue.removed),
    }
    yield orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)
    for each in catalogue.opened.values():
        row = {
            "product_id": each.product_id,
            "sku": each.sku,
            "name": each.name,
            "images": [asdict(i) for i in each.images],
        }
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _load(config: Config, path: Path) -> Catalogue:
    with path.open("rb") as lines:
        header = _parsed(path, 1, next(lines, b""))
        if header.get("format") != _FORMAT:
            raise ValueError(f"{path}:1: not a state of this sandbox; give another --state")
        catalogue = Catalogue(header["products"], header["images"], header["seed"])
        for n, line in enumerate(lines, start=2):
            catalogue.put(_product(path, n, line))
    for number in header["removed"]:
        catalogue.remove(number)
    catalogue.next_image_id, catalogue.names_given = header["next_image_id"], header["names_given"]
    config.store_hash = config.store_hash or header["store_hash"]
    config.access_token = config.access_token or header["access_token"]
    return catalogue


def _product(path: Path, n: int, line: bytes) -> Product:
    row = _parsed(path, n, line)
    try:
        images = [Image(**each) for each in row["images"]]
        return Product(row["product_id"], row["sku"], row["name"], images)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}:{n}: not a product of this sandbox; give another --state") from error


def _parsed(path: Path, n: int, line: bytes) -> dict[str, Any]:
    try:
        return dict(orjson.loads(line))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}:{n}: no JSON object; give another --state") from error
