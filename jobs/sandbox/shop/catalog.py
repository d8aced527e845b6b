"""What the store holds: products and their images, those of the first filling made up only when they are asked for.

Pure. A million images cost nothing until somebody writes to them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from .file_names import folder, mix, suffix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EPOCH = 1_700_000_000  # when the first filling claims to have been made, seconds since 1970
_BY_ID = attrgetter("image_id")
_MADE_UP_SKU = re.compile(r"SKU-([1-9][0-9]*)")
_MADE_UP_FILE = re.compile(r"[a-z]/[0-9]{3}/product-([1-9][0-9]*)-[1-9][0-9]*__[0-9]{5}\.jpg")


@dataclass(slots=True)
class Image:
    """One stored image; `picture` says where its bytes come from (see `album`), the times are seconds since 1970."""

    image_id: int
    image_file: str
    description: str
    sort_order: int
    is_thumbnail: bool
    created: int
    modified: int
    picture: str


@dataclass(slots=True)
class Product:
    """One product with its images by ascending id; `past` holds what listings still show of it, and until when."""

    product_id: int
    sku: str
    name: str
    images: list[Image] = field(default_factory=list)
    past: list[tuple[float, list[Image]]] | None = None

    def image(self, image_id: int) -> Image | None:
        """Return the image of this id, if the product has it."""
        at = bisect_left(self.images, image_id, key=_BY_ID)
        return self.images[at] if at < len(self.images) and self.images[at].image_id == image_id else None

    def thumbnail(self) -> Image | None:
        """Return the image that is the product's thumbnail, if one is."""
        return next((each for each in self.images if each.is_thumbnail), None)


class Catalogue:
    """Products by id. Those of the filling exist as numbers alone until `open` is asked for one."""

    def __init__(self, products: int = 0, images: int = 0, seed: int = 0) -> None:
        self.products, self.images, self.seed = products, images, seed
        self.total_images = products * images
        self.next_image_id = products * images + 1
        self.names_given = 0
        self.opened: dict[int, Product] = {}
        self.removed: set[int] = set()
        self.files: dict[str, int] = {}
        self._skus: dict[str, int] = {}
        self._ids: Sequence[int] | None = range(1, products + 1)

    def __contains__(self, product_id: int) -> bool:
        return product_id in self.opened or (0 < product_id <= self.products and product_id not in self.removed)

    def look(self, product_id: int) -> Product | None:
        """Return a product to look at, never to change: it may have been made up just now."""
        found = self.opened.get(product_id)
        if found is not None:
            return found
        return self._made_up(product_id) if product_id in self else None

    def open(self, product_id: int) -> Product:
        """Return a product to change, from now on kept. Raises KeyError where there is none."""
        found = self.opened.get(product_id)
        if found is None:
            if product_id not in self:
                raise KeyError(product_id)
            found = self.opened[product_id] = self._made_up(product_id)
        return found

    def add(self, product_id: int | None = None, sku: str = "", name: str = "") -> Product:
        """Add a product without images, of the next free id if none is given. Raises ValueError where the id is taken."""
        number = product_id or max([self.products, *self.opened]) + 1
        if number in self:
            raise ValueError(f"there is a product {number} already")
        return self.put(Product(number, sku or f"SKU-{number}", name or f"Product {number}"))

    def put(self, product: Product) -> Product:
        """Keep a product that was made elsewhere, as when a kept state is loaded."""
        known = product.product_id in self
        if known:
            self.total_images -= len(self.open(product.product_id).images)
        self.opened[product.product_id] = product
        self.removed.discard(product.product_id)
        self._skus[product.sku] = product.product_id
        self.total_images += len(product.images)
        for image in product.images:
            self.files[image.image_file] = product.product_id
            self.next_image_id = max(self.next_image_id, image.image_id + 1)
        self._ids = self._ids if known else None
        return product

    def remove(self, product_id: int) -> None:
        """Remove a product with its images. Raises KeyError where there is none."""
        product = self.open(product_id)
        self.total_images -= len(product.images)
        for image in product.images:
            self.files.pop(image.image_file, None)
        del self.opened[product_id]
        if product_id <= self.products:
            self.removed.add(product_id)
        self._ids = None

    def ids(self) -> Sequence[int]:
        """Return the ids of all products, ascending."""
        if self._ids is None:
            made_up = (each for each in range(1, self.products + 1) if each not in self.removed)
            self._ids = sorted({*made_up, *self.opened})
        return self._ids

    def by_sku(self, sku: str) -> int | None:
        """Return the id of the product of this sku, if there is one."""
        made_up = _MADE_UP_SKU.fullmatch(sku)
        product_id = self._skus.get(sku, int(made_up[1]) if made_up else 0)
        product = self.look(product_id)
        return product_id if product is not None and product.sku == sku else None

    def by_file(self, image_file: str) -> tuple[Product, Image] | None:
        """Return the image that is stored under this name, if there is one."""
        made_up = _MADE_UP_FILE.fullmatch(image_file)
        product = self.look(self.files.get(image_file, int(made_up[1]) if made_up else 0))
        found = next((each for each in product.images if each.image_file == image_file), None) if product else None
        return (product, found) if product and found else None

    def all(self) -> Iterator[Product]:
        """Yield every product by ascending id, to look at."""
        for product_id in self.ids():
            product = self.look(product_id)
            if product is not None:
                yield product

    def _made_up(self, product_id: int) -> Product:
        first = (product_id - 1) * self.images
        images = [self._made_up_image(product_id, n, first + n) for n in range(1, self.images + 1)]
        return Product(product_id, f"SKU-{product_id}", f"Product {product_id}", images)

    def _made_up_image(self, product_id: int, n: int, image_id: int) -> Image:
        scatter = mix(self.seed, image_id)
        name = f"{folder(scatter)}/product-{product_id}-{n}__{suffix(scatter)}.jpg"
        return Image(image_id, name, f"View {n}", n - 1, n == 1, EPOCH, EPOCH, f"made:{self.seed}/{image_id}")
