"""Interface of an API version.

Only its module knows paths, JSON and error texts.

`core/dialects/v2.py` implements it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from ..messages import Request, Response
    from ..model import StoredImage


class Dialect(Protocol):
    """Requests that the engine sends, and readers of their responses.

    Documented in `v2.py`.
    """

    def list_images(self, product_id: int, page: int) -> Request:
        """Return the request for one page of a product's images."""

    def get_image(self, product_id: int, image_id: int) -> Request:
        """Return the request for one image."""

    def count_images(self) -> Request:
        """Return the request for the number of images in the store."""

    def count_products(self) -> Request:
        """Return the request for the number of products in the store."""

    def list_products(self, min_id: int) -> Request:
        """Return the request for a page of products with ids from `min_id` upwards."""

    def create_image(
        self, product_id: int, image_file: str, fields: dict[str, Any], local_file: Path | None
    ) -> Request:
        """Return the request that creates an image."""

    def update_image(self, product_id: int, image_id: int, fields: dict[str, Any]) -> Request:
        """Return the request that updates fields of one image."""

    def delete_image(self, product_id: int, image_id: int) -> Request:
        """Return the request that deletes one image."""

    def delete_images(self, product_id: int) -> Request:
        """Return the request that deletes a page of images."""

    def read_images(self, response: Response) -> list[StoredImage]:
        """Return the images of a page."""

    def read_images_with_urls(self, response: Response) -> list[StoredImage]:
        """Return the images of a page, with the addresses of their files."""

    def read_image(self, response: Response) -> StoredImage:
        """Return one image."""

    def read_created(self, response: Response) -> StoredImage:
        """Return the created image."""

    def read_count(self, response: Response) -> int:
        """Return a count."""

    def read_product_ids(self, response: Response) -> list[int]:
        """Return the ids of a page of products."""

    def read_nothing(self, response: Response) -> None:
        """Accept a response without content."""

    def explain(self, response: Response) -> str:
        """Return the store's own text about a refusal."""
