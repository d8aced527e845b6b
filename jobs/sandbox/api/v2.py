"""The V2 API of the store: a call in, a reply out, at a given time. No sockets, no clock, nothing fetched.

A write may bring a picture from outside. `source` says which one a call needs; the caller gets it (or fails to) and
passes it to `answer`, which alone changes the store. Operations and statuses: store-api.md sections 0, 1.2 and 2.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .messages import (
    JSON,
    Call,
    Refusal,
    Reply,
    invalid,
    not_found,
    of_gateway,
    of_json,
    refused,
    unreachable,
    unusable,
)
from .serializers import Addresses, listed_image, product, shrunk, written_image
from .validation import Page, Source, WriteRequest, read_number, read_page, read_query, read_write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config import Config
    from ..shop.rules import Picture, Shop

MOST_IMAGES = 1000  # of one product (store-api.md 1.8)
_METHODS = {
    "products": ("GET",),
    "products_count": ("GET",),
    "product": ("GET",),
    "images_count": ("GET",),
    "images": ("GET", "POST", "DELETE"),
    "image": ("GET", "PUT", "DELETE"),
}
_FILTERS = frozenset({"page", "limit", "min_id", "max_id", "sku", "include", "exclude"})
_PAGING = frozenset({"page", "limit"})


@dataclass(slots=True, frozen=True)
class Target:
    """What a path names."""

    kind: str
    product_id: int = 0
    image_id: int = 0


class Api:
    """The protocol over the shop's rules."""

    def __init__(self, config: Config, shop: Shop, origin: str) -> None:
        self.config = config
        self.shop = shop
        self.addresses = Addresses(origin, config.store_hash)
        self._prefix = f"/stores/{config.store_hash}/v2"

    def turned_away(self, call: Call) -> Reply | None:
        """Return the refusal of a call that isn't for this store or isn't allowed in; None lets it in."""
        if not call.target.startswith("/stores/"):
            return of_gateway(404)
        if not call.target.startswith(f"/stores/{self.config.store_hash}/"):
            return of_gateway(403)
        if call.token != self.config.access_token:
            return refused(401, {"message": "No valid credentials were supplied in the request."})
        return None

    def source(self, call: Call) -> Source | None:
        """Return the picture that must be had before `answer`; None where the call brings none or will be refused."""
        if call.method not in ("POST", "PUT"):
            return None
        try:
            _, wish = self._write(call, self._place(call))
        except Refusal:
            return None
        return wish.source

    def answer(self, call: Call, now: float, picture: Picture | None = None) -> Reply:
        """Carry the call out at `now` (seconds since 1970) and return what the store says.

        `picture` is what came of `source`; without it a call that needs one is refused.
        """
        try:
            place = self._place(call)
            if place.kind == "images" and call.method == "GET":
                return self._list_images(place, call, now)
            act = getattr(self, f"_{call.method.lower()}_{place.kind}")
            reply: Reply = act(place, call, now, picture) if call.method in ("POST", "PUT") else act(place, call, now)
        except Refusal as refusal:
            return refusal.reply
        return reply

    def _place(self, call: Call) -> Target:
        path = call.target.partition("?")[0].rstrip("/")
        place = _locate(path[len(self._prefix) :]) if path.startswith(self._prefix) else None
        if place is None:
            raise Refusal(of_gateway(404))
        allowed = _METHODS[place.kind]
        if call.method not in allowed:
            reply = refused(405, {"message": f"The method '{call.method}' is not supported by this resource."})
            reply.headers.append(("Allow", ", ".join(allowed)))
            raise Refusal(reply)
        if call.accept and not any(each in call.accept for each in (JSON, "*/*", "application/*")):
            raise Refusal(refused(406, {"message": "The requested representation is not available. Ask for JSON."}))
        if place.product_id and place.product_id not in self.shop.catalogue:
            raise Refusal(not_found())
        return place

    def _list(self, rows: list[Any], image_ids: list[int] | None = None) -> Reply:
        if rows or self.config.empty == "list":
            return of_json(200, rows, image_ids=image_ids)
        return of_json(200, None) if self.config.empty == "null" else Reply(204)

    def _page(self, values: dict[str, str]) -> Page:
        page = read_page(values, self.config)
        cap = self.config.page_cap
        return Page(page.page, min(page.limit, cap)) if cap else page

    def _list_images(self, place: Target, call: Call, now: float) -> Reply:
        page = self._page(read_query(call.target.partition("?")[2], _PAGING))
        images = self.shop.listed(place.product_id, now) or ()
        shown = images[page.of(len(images))]
        return self._list([listed_image(place.product_id, each, self.addresses) for each in shown])

    def _get_image(self, place: Target, _call: Call, _now: float) -> Reply:
        found = self.shop.catalogue.look(place.product_id)
        image = found.image(place.image_id) if found else None
        if image is None:
            return not_found()
        return of_json(200, listed_image(place.product_id, image, self.addresses), image_ids=[image.image_id])

    def _get_images_count(self, _place: Target, _call: Call, _now: float) -> Reply:
        return of_json(200, {"count": self.shop.catalogue.total_images})

    def _write(self, call: Call, place: Target) -> tuple[Target, WriteRequest]:
        found = self.shop.catalogue.look(place.product_id)
        if found is None or (place.image_id and found.image(place.image_id) is None):
            raise Refusal(not_found())
        wish = read_write(call, self.config)
        if call.method == "POST" and len(found.images) >= MOST_IMAGES:
            reason = f"A product can have at most {MOST_IMAGES} images."
            raise Refusal(refused(400, invalid("image_file", reason)))
        return place, wish

    def _post_images(self, place: Target, call: Call, now: float, picture: Picture | None) -> Reply:
        _, wish = self._write(call, place)
        draft = replace(wish.draft, picture=_had(wish, picture))
        image = self.shop.create(place.product_id, draft, now)
        return of_json(201, written_image(place.product_id, image), committed=True, image_ids=[image.image_id])

    def _put_image(self, place: Target, call: Call, now: float, picture: Picture | None) -> Reply:
        _, wish = self._write(call, place)
        draft = replace(wish.draft, picture=_had(wish, picture))
        image = self.shop.update(place.product_id, place.image_id, draft, now)
        return of_json(200, written_image(place.product_id, image), committed=True, image_ids=[image.image_id])

    def _delete_image(self, place: Target, _call: Call, now: float) -> Reply:
        found = self.shop.catalogue.look(place.product_id)
        if found is None or found.image(place.image_id) is None:
            return not_found()
        self.shop.delete(place.product_id, [place.image_id], now)
        return Reply(204, committed=True, image_ids=[place.image_id])

    def _delete_images(self, place: Target, call: Call, now: float) -> Reply:
        if self.config.delete_many_refused:
            return refused(self.config.delete_many_refused, {"message": "This call is not available."})
        page = read_page(read_query(call.target.partition("?")[2], _PAGING), self.config)
        found = self.shop.catalogue.look(place.product_id)
        ids = [each.image_id for each in found.images] if found else []
        gone = ids if self.config.delete_many == "all" else ids[page.of(len(ids))]
        self.shop.delete(place.product_id, gone, now)
        return Reply(204, committed=bool(gone), image_ids=gone)

    def _product_ids(self, values: dict[str, str]) -> Sequence[int]:
        lowest, highest = read_number(values, "min_id", 1), read_number(values, "max_id", 2**62)
        if "sku" in values:
            named = self.shop.catalogue.by_sku(values["sku"])
            return [] if named is None or not lowest <= named <= highest else [named]
        ids = self.shop.catalogue.ids()
        return ids[bisect_left(ids, lowest) : bisect_right(ids, highest)]

    def _get_products(self, _place: Target, call: Call, _now: float) -> Reply:
        values = read_query(call.target.partition("?")[2], _FILTERS)
        page, ids = self._page(values), self._product_ids(values)
        return self._list([self._shown(each, values) for each in ids[page.of(len(ids))]])

    def _get_products_count(self, _place: Target, call: Call, _now: float) -> Reply:
        return of_json(200, {"count": len(self._product_ids(read_query(call.target.partition("?")[2], _FILTERS)))})

    def _get_product(self, place: Target, call: Call, _now: float) -> Reply:
        values = read_query(call.target.partition("?")[2], ("include", "exclude"))
        return of_json(200, self._shown(place.product_id, values))

    def _shown(self, product_id: int, values: dict[str, str]) -> dict[str, Any]:
        found = self.shop.catalogue.look(product_id)
        if found is None:
            raise Refusal(not_found())
        shown = product(found, self.addresses)
        return shrunk(shown, values.get("include"), values.get("exclude")) if values else shown


def _had(wish: WriteRequest, picture: Picture | None) -> Picture | None:
    """Return the picture that the write brings. Raises Refusal where it should bring one and could not."""
    if wish.source is None or picture is not None:
        return picture if wish.source else None
    text = wish.source.text
    raise Refusal(refused(400, unreachable(text) if wish.source.kind == "url" else unusable(text)))


def _locate(path: str) -> Target | None:
    match path.split("/"):
        case ["", "products"]:
            return Target("products")
        case ["", "products", "count"]:
            return Target("products_count")
        case ["", "products", "images", "count"]:
            return Target("images_count")
        case ["", "products", number] if _is_id(number):
            return Target("product", int(number))
        case ["", "products", number, "images"] if _is_id(number):
            return Target("images", int(number))
        case ["", "products", number, "images", image] if _is_id(number) and _is_id(image):
            return Target("image", int(number), int(image))
    return None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18 and int(text) > 0
