"""What happens to a product's images when one is created, changed or deleted: pure rules, told the time, without sockets.

The rules are store-api.md 1.5 and 1.6. Callers have checked what they ask for: here nothing is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from operator import attrgetter
from typing import TYPE_CHECKING

from .catalog import Catalogue, Image, Product
from .file_names import mix, stored_name, with_prefix, without_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config import Config

HIGHEST = 2_147_483_647  # int32, where moving up ends


@dataclass(slots=True, frozen=True)
class Picture:
    """Bytes that the store has taken in: where they are (see `album`) and the extension that their type calls for."""

    where: str
    extension: str


@dataclass(slots=True, frozen=True)
class Draft:
    """What a write asks for; None is not asked for. `name` is the source's file name, `query` what its address asks for."""

    name: str = ""
    picture: Picture | None = None
    uploaded: bool = False
    description: str | None = None
    sort_order: int | None = None
    is_thumbnail: bool | None = None
    query: str = ""


class Shop:
    """The catalogue with its rules."""

    def __init__(self, config: Config, catalogue: Catalogue) -> None:
        self.config = config
        self.catalogue = catalogue

    def listed(self, product_id: int, now: float) -> Sequence[Image] | None:
        """Return a product's images by id as a listing shows them at this time; None where there is no such product."""
        product = self.catalogue.look(product_id)
        if product is None:
            return None
        if product.past:
            product.past = [each for each in product.past if each[0] > now]
            if product.past:
                return product.past[0][1]
        return product.images

    def create(self, product_id: int, draft: Draft, now: float) -> Image:
        """Add an image. The first one of a product becomes its thumbnail unless the draft says otherwise."""
        product = self._open(product_id, now)
        thumbnail = not product.images if draft.is_thumbnail is None else draft.is_thumbnail
        order = self._first_order(product) if draft.sort_order is None else draft.sort_order
        if self.config.renumber_on_create and draft.sort_order is not None:
            _make_room(product.images, order)
        image_id = self.catalogue.next_image_id
        self.catalogue.next_image_id += 1
        text = as_kept(draft.description or "", self.config)
        image = Image(image_id, "", text, self._taken_order(order), False, int(now), int(now), "")
        self._store(product, image, draft)
        product.images.append(image)
        if draft.sort_order is not None:
            self._compact(product, image)
        self.catalogue.total_images += 1
        if thumbnail:
            _make_thumbnail(product, image)
        return image

    def update(self, product_id: int, image_id: int, draft: Draft, now: float) -> Image:
        """Change an image, and its siblings where their thumbnail or order has to give way."""
        product = self._open(product_id, now)
        image = product.image(image_id)
        if image is None:
            raise KeyError(image_id)
        image.modified = int(now)
        if draft.sort_order is not None and self.config.orders != "fixed":
            self._reorder(product, image, self._taken_order(draft.sort_order))
            self._compact(product, image)
        if draft.description is not None:
            image.description = as_kept(draft.description, self.config)
        if draft.is_thumbnail:
            _make_thumbnail(product, image)
        elif draft.is_thumbnail is not None:
            image.is_thumbnail = False
        if draft.picture is not None and self.config.put_picture == "replaces":
            self._store(product, image, draft)
        return image

    def delete(self, product_id: int, image_ids: Sequence[int], now: float) -> None:
        """Remove these images of a product; ids that it doesn't have are nothing to do."""
        product = self._open(product_id, now)
        gone = {each for each in image_ids if product.image(each) is not None}
        if not gone:
            return
        had_thumbnail = product.thumbnail() is not None
        for image in product.images:
            if image.image_id in gone:
                self.catalogue.files.pop(image.image_file, None)
        product.images = [each for each in product.images if each.image_id not in gone]
        self.catalogue.total_images -= len(gone)
        if self.config.promote_after_delete and had_thumbnail and product.images and product.thumbnail() is None:
            min(product.images, key=attrgetter("sort_order", "image_id")).is_thumbnail = True

    def _open(self, product_id: int, now: float) -> Product:
        product = self.catalogue.open(product_id)
        if self.config.list_lag > 0:
            before = [replace(each) for each in product.images]
            product.past = [*(product.past or []), (now + self.config.list_lag, before)]
        return product

    def _first_order(self, product: Product) -> int:
        if self.config.unsorted == "zero" or not product.images:
            return 0
        return min(HIGHEST, max(each.sort_order for each in product.images) + 1)

    def _reorder(self, product: Product, image: Image, order: int) -> None:
        reading = self.config.renumber
        if reading == "always" or (reading == "raised" and order > image.sort_order):
            _make_room([each for each in product.images if each is not image], order)
        image.sort_order = order

    def _taken_order(self, order: int) -> int:
        return max(0, order) if self.config.orders == "not-negative" else order

    def _compact(self, product: Product, written: Image) -> None:
        """Number the images 0, 1, 2 ... where the store does that; the one just written comes first among equals."""
        if self.config.orders != "compacted":
            return
        for place, each in enumerate(
            sorted(product.images, key=lambda i: (i.sort_order, i is not written, i.image_id))
        ):
            each.sort_order = place

    def _store(self, product: Product, image: Image, draft: Draft) -> None:
        """Give the image its picture and a new name; a name is never given twice."""
        if draft.picture is None:
            return
        self.catalogue.names_given += 1
        scatter = mix(self.config.seed + 1, self.catalogue.names_given)
        name = without_name(scatter) if self.config.names == "lost" else draft.name
        if self.config.names == "prefixed" and draft.uploaded:
            name = with_prefix(name, scatter)
        self.catalogue.files.pop(image.image_file, None)
        image.image_file = stored_name(
            name,
            draft.picture.extension,
            scatter,
            by_bytes=self.config.underscores == "bytes",
            completed=self.config.completed,
            query="" if self.config.names == "lost" else draft.query,
            longest=self.config.longest_name,
        )
        image.picture = draft.picture.where
        self.catalogue.files[image.image_file] = product.product_id


def as_kept(text: str, config: Config) -> str:
    """Return what the store makes of a description."""
    if config.descriptions == "trimmed":
        text = text.strip()
    elif config.descriptions == "escaped":
        text = escape(text)
    return text[: config.description_length] if config.description_length else text


def _make_room(images: Sequence[Image], order: int) -> None:
    for each in images:
        if each.sort_order >= order:
            each.sort_order = min(HIGHEST, each.sort_order + 1)


def _make_thumbnail(product: Product, image: Image) -> None:
    for each in product.images:
        each.is_thumbnail = each is image
