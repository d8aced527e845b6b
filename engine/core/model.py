"""The values that everything else speaks of: what is wanted, what is present. No rules here but their shapes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Wanted:
    """One image of the manifest. A field that is None is not managed: not compared, not written."""

    image_file: str
    description: str | None = None
    sort_order: int | None = None
    is_thumbnail: bool | None = None
    version: str | None = None
    line: int | None = None


@dataclass(slots=True)
class WantedProduct:
    """One product of the manifest with its images in the manifest's order; `line` is where it begins."""

    product_id: int
    images: list[Wanted] = field(default_factory=list)
    line: int | None = None


@dataclass(slots=True)
class StoredImage:
    """One image as the store lists it; a null description reads as "" (store-api.md 1.1)."""

    image_id: int
    image_file: str
    description: str = ""
    sort_order: int = 0
    is_thumbnail: bool = False
    url: str | None = None
