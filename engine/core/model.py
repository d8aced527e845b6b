"""The values that all packages share: wanted and stored images. No rules."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Wanted:
    """One image of the manifest.

    A field that is None is neither compared nor written.
    """

    image_file: str
    description: str | None = None
    sort_order: int | None = None
    is_thumbnail: bool | None = None
    version: str | None = None
    line: int | None = None


@dataclass(slots=True)
class WantedProduct:
    """One product of the manifest with its images in manifest order.

    `line` is the line on which it begins.
    """

    product_id: int
    images: list[Wanted] = field(default_factory=list)
    line: int | None = None


@dataclass(slots=True)
class StoredImage:
    """One image as the store lists it.

    A null description reads as "" (store-api.md 1.1).
    """

    image_id: int
    image_file: str
    description: str = ""
    sort_order: int = 0
    is_thumbnail: bool = False
    url: str | None = None
