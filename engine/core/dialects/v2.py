"""The V2 product images API: requests, and responses to values.

Source: store-api.md sections 0 and 1; numbers in parentheses are its sections. No path ends in a slash; read-only
fields are never sent; 204, `[]` and null all mean "none"; an unreadable body counts as no response (LostError).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ..errors import LostError
from ..masking import masked
from ..messages import NO_REASON, Request, Response, Upload
from ..model import StoredImage

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 250
"""Maximum page size (section 0)."""
_URLS = ("zoom_url", "standard_url", "thumbnail_url", "tiny_url")


def list_images(product_id: int, page: int) -> Request:
    """Return the request for one page of a product's images, lowest id first."""
    return Request("GET", f"/v2/products/{product_id}/images?limit={PAGE}&page={page}")


def get_image(product_id: int, image_id: int) -> Request:
    """Return the request for one image."""
    return Request("GET", f"/v2/products/{product_id}/images/{image_id}")


def count_images() -> Request:
    """Return the request for the number of images in the store."""
    return Request("GET", "/v2/products/images/count")


def count_products() -> Request:
    """Return the request for the number of products in the store (section 2)."""
    return Request("GET", "/v2/products/count")


def list_products(min_id: int) -> Request:
    """Return the request for up to 250 products with ids from `min_id` upwards (section 2).

    Paging by id is not upset by products that others delete.
    """
    return Request("GET", f"/v2/products?min_id={min_id}&limit={PAGE}&include=@summary")


def create_image(product_id: int, image_file: str, fields: dict[str, Any], local_file: Path | None) -> Request:
    """Return the request that creates an image (1.3).

    The source is a URL, a name in the import folder or, with `local_file`, a local file as a form upload.
    """
    path = f"/v2/products/{product_id}/images"
    if local_file is not None:
        form = {name: _form_value(value) for name, value in fields.items()}
        return Request("POST", path, upload=Upload(local_file, local_file.name), form=form)
    source = image_file.removeprefix("import:")
    return Request("POST", path, orjson.dumps({"image_file": source, **fields}))


def update_image(product_id: int, image_id: int, fields: dict[str, Any]) -> Request:
    """Return the request that updates the changed `fields` of one image (section 8.11)."""
    return Request("PUT", f"/v2/products/{product_id}/images/{image_id}", orjson.dumps(fields))


def delete_image(product_id: int, image_id: int) -> Request:
    """Return the request that deletes one image."""
    return Request("DELETE", f"/v2/products/{product_id}/images/{image_id}")


def delete_images(product_id: int) -> Request:
    """Return the request that deletes a page of a product's images (1.4).

    At most 250; some stores may delete all of them.
    """
    return Request("DELETE", f"/v2/products/{product_id}/images?limit={PAGE}")


def read_images(response: Response) -> list[StoredImage]:
    """Return the images of a page.

    Raises LostError if the body is not a list of images.
    """
    rows = _read(response)
    if not rows:
        return []
    if type(rows) is not list:
        raise LostError(f"the listing is not a list but {_shape(rows)}", response.status)
    return _images(rows, response.status)


def read_image(response: Response) -> StoredImage:
    """Return one image.

    Raises LostError if the body is not one.
    """
    return _images([_read(response)], response.status)[0]


def read_created(response: Response) -> StoredImage:
    """Return the image that a POST created; renditions may be missing (1.1).

    Raises LostError if the body has no id.
    """
    return read_image(response)


def read_count(response: Response) -> int:
    """Return a count.

    Raises LostError if the body has none.
    """
    row = _read(response)
    count = row.get("count") if isinstance(row, dict) else None
    if type(count) is not int or count < 0:
        raise LostError(f"the count is not a number but {_shape(count)}", response.status)
    return count


def read_product_ids(response: Response) -> list[int]:
    """Return the ids of a page of products.

    Raises LostError if the body is not a list of products.
    """
    rows = _read(response)
    if not rows:
        return []
    if type(rows) is not list:
        raise LostError(f"the list of products is not a list but {_shape(rows)}", response.status)
    ids = [row.get("id") if type(row) is dict else None for row in rows]
    if any(type(product_id) is not int or product_id < 1 for product_id in ids):
        raise LostError("a product in the list has no id", response.status)
    return [product_id for product_id in ids if product_id is not None]


def read_nothing(response: Response) -> None:
    """Accept the response to a delete, whatever its body."""


def explain(response: Response) -> str:
    """Return the store's own text about a refusal.

    One line, at most 300 characters.

    V2 sends it in a list (1.7).
    """
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        text = masked(response.body[:2000].decode("utf-8", "replace"))
        return " ".join(text[:200].split()) or NO_REASON
    texts = [_reason(item) for item in (body if isinstance(body, list) else [body])[:3]]
    return masked("; ".join(part for part in texts if part))[:300] or NO_REASON


def _reason(item: Any) -> str:
    if not isinstance(item, dict):
        return masked(item)[:200] if isinstance(item, str) else _shape(item)
    details = item.get("details")
    reasons = [str(value) for value in details.values() if isinstance(value, str)] if isinstance(details, dict) else []
    errors = item.get("errors")
    if isinstance(errors, dict):
        reasons += [f"{name}: {value if isinstance(value, str) else _shape(value)}" for name, value in errors.items()]
    text = item.get("message") or item.get("title") or ""
    return " ".join([text if isinstance(text, str) else _shape(text), *reasons]).strip()


def _read(response: Response) -> Any:
    if response.status == 204 or not response.body:
        return None
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        start = response.body[:60].decode("utf-8", "replace")
        raise LostError(f"the response ({response.status}) is not JSON: {start!r}", response.status) from None


def _images(rows: list[Any], status: int) -> list[StoredImage]:
    """Return the images of a page's rows.

    The hot path of listing: no call per row.
    """
    images = []
    for row in rows:
        try:
            image_id, name, text = row["id"], row["image_file"], row["description"]
            order, flag = row["sort_order"], row["is_thumbnail"]
        except (KeyError, TypeError, IndexError):
            raise LostError(f"an image in the response lacks its fields: {_shape(row)}", status) from None
        sound = type(image_id) is int and type(order) is int and (flag is True or flag is False)
        if not sound or type(name) is not str or image_id < 1 or not (text is None or type(text) is str):
            raise LostError(f"an image in the response has fields of the wrong type: {_shape(row)}", status)
        images.append(StoredImage(image_id, name, text or "", order, flag))
    return images


def rendition(row: dict[str, Any]) -> str | None:
    """Return the address of the largest rendition in a listing's row (section 8.13)."""
    return next((row[name] for name in _URLS if isinstance(row.get(name), str) and row[name]), None)


def read_images_with_urls(response: Response) -> list[StoredImage]:
    """Return the images of a page with the largest rendition's address in `url`.

    For export and backup. Raises LostError if the body is not a list of images.
    """
    images = read_images(response)
    if images:
        for image, row in zip(images, orjson.loads(response.body), strict=True):
            image.url = rendition(row)
    return images


def _form_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _shape(value: Any) -> str:
    """Describe a value from outside in a few words, without descending into it."""
    if isinstance(value, dict):
        return f"an object with {', '.join(map(repr, list(value)[:6]))[:60] or 'nothing'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return repr(value)[:60]
