"""How a store is spoken to, one module an API version: it alone knows paths, JSON and error texts.

`Dialect` is what such a module offers; V3 would be a second one beside `core/dialects/v2.py`. Requests come out, values go in; nothing
here sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from ..messages import Request, Response
    from ..model import StoredImage


class Dialect(Protocol):
    """The calls that the engine makes, and how their answers are read; what each must do is said in `core/dialects/v2.py`."""

    def list_images(self, product_id: int, page: int) -> Request:
        """One page of a product's images."""

    def get_image(self, product_id: int, image_id: int) -> Request:
        """One image."""

    def count_images(self) -> Request:
        """How many images the whole store has."""

    def count_products(self) -> Request:
        """How many products the whole store has."""

    def list_products(self, min_id: int) -> Request:
        """A page of products from an id upwards."""

    def create_image(self, product_id: int, image_file: str, fields: dict[str, Any], picture: Path | None) -> Request:
        """A new image."""

    def update_image(self, product_id: int, image_id: int, fields: dict[str, Any]) -> Request:
        """Fields of one image."""

    def delete_image(self, product_id: int, image_id: int) -> Request:
        """One image goes."""

    def delete_images(self, product_id: int) -> Request:
        """A page of images goes."""

    def read_images(self, answer: Response) -> list[StoredImage]:
        """The images of a page."""

    def read_images_with_urls(self, answer: Response) -> list[StoredImage]:
        """The same, with the addresses of their pictures."""

    def read_image(self, answer: Response) -> StoredImage:
        """One image."""

    def read_created(self, answer: Response) -> StoredImage:
        """The image that was made."""

    def read_count(self, answer: Response) -> int:
        """A count."""

    def read_product_ids(self, answer: Response) -> list[int]:
        """The ids of a page of products."""

    def read_nothing(self, answer: Response) -> None:
        """An answer with nothing in it."""

    def explain(self, answer: Response) -> str:
        """The store's own words about a refusal."""
