"""Fills a new store from a manifest: the products that it names and, if asked for, their images. JSON Lines, plain or `.gz`."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ..api.messages import UploadedFile
from ..api.validation import Source
from ..shop.file_names import source_name, source_query
from ..shop.rules import Draft

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ..config import Config
    from ..shop.rules import Picture, Shop

_IMPORT = "import:"


async def fill(
    config: Config, shop: Shop, fetch: Callable[[Source], Awaitable[Picture | None]], now: float
) -> list[str]:
    """Create what the manifest names, if there is one; return a line for each image that could not be had.

    Raises ValueError, naming the line, where it can't be read or makes no sense.
    """
    left_out: list[str] = []
    if config.manifest is None:
        return left_out
    for n, row in _rows(config.manifest):
        number = row["product_id"]
        if number not in shop.catalogue:
            shop.catalogue.add(number)
        for at, image in enumerate(row.get("images", []) if config.with_images else []):
            source = _source(image["image_file"], config.manifest.parent)
            picture = await fetch(source)
            if picture is None:
                left_out.append(f"{config.manifest}:{n}: images[{at}]: {image['image_file']} could not be had")
            else:
                shop.create(number, replace(_draft(image, source), picture=picture), now)
    return left_out


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for n, line in enumerate(lines, start=1):
                if line.strip():
                    yield n, _row(f"{path}:{n}", line)
    except (OSError, EOFError) as error:
        raise ValueError(f"{path}: can't be read: {error}") from error


def _row(place: str, line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{place}: not JSON") from error
    if not isinstance(row, dict) or not isinstance(row.get("product_id"), int) or row["product_id"] < 1:
        raise ValueError(f"{place}: product_id: must be a whole number above 0")
    images = row.get("images", [])
    if not isinstance(images, list) or not all(_names_a_file(each) for each in images):
        raise ValueError(f"{place}: images: must be a list of objects, each with an image_file")
    return row


def _names_a_file(image: Any) -> bool:
    return isinstance(image, dict) and isinstance(image.get("image_file"), str)


def _source(text: str, folder: Path) -> Source:
    if text.startswith(_IMPORT):
        return Source("import", text.removeprefix(_IMPORT))
    if "://" in text:
        return Source("url", text)
    path = Path(folder, text)
    return Source("upload", path.name, UploadedFile(path.name, path.read_bytes() if path.is_file() else b""))


def _draft(image: dict[str, Any], source: Source) -> Draft:
    return Draft(
        name=source_name(source.text),
        uploaded=source.kind == "upload",
        description=image.get("description"),
        sort_order=image.get("sort_order"),
        is_thumbnail=image.get("is_thumbnail"),
        query="" if source.kind == "upload" else source_query(source.text),
    )
