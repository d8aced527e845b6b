"""What a person looks at: the stored pictures, their renditions, and a page that shows them.

Addresses: store-api.md 1.5. A picture smaller than a rendition is served as it is in its place.
"""

from __future__ import annotations

import asyncio
import re
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from ..api.messages import Reply, of_gateway
from ..api.serializers import Addresses
from ..shop.pictures import LARGEST, MEDIA_TYPES, kind, rendition

if TYPE_CHECKING:
    from pathlib import Path

    from ..config import Config
    from ..shop.catalog import Product
    from ..shop.rules import Shop
    from .picture_store import PictureStore

_ORIGINAL = re.compile(r"/product_images/(?!import/)(.+)")
_IMPORT = re.compile(r"/product_images/import/(.+)")
_RENDITION = re.compile(r"/s-[^/]+/products/(\d+)/images/(\d+)/[^/]+\.(\d{1,4})\.(\d{1,4})\.\w+")
_STENCIL = re.compile(r"/s-[^/]+/images/stencil/(original|(\d{1,4})x(\d{1,4})|(\d{1,4})w)/products/(\d+)/(\d+)/[^/]+")
_PAGE = 20  # products
_HIGHEST = 9999  # pixels: as good as the original


class WebPages:
    """Serves pictures and the page."""

    def __init__(self, config: Config, shop: Shop, album: PictureStore, folder: Path) -> None:
        self._shop = shop
        self._album = album
        self._folder = folder
        self._addresses = Addresses("", config.store_hash)

    async def answer(self, target: str) -> Reply:
        """Return what lies at this address."""
        path, _, query = target.partition("?")
        if path == "/":
            page = parse_qs(query).get("page", ["1"])[0]
            return self._page(int(page) if page.isdecimal() and page != "0" else 1)
        return await asyncio.to_thread(self._picture, unquote(path))

    def _picture(self, path: str) -> Reply:
        try:
            if found := _IMPORT.fullmatch(path):
                return self._imported(found[1])
            if found := _ORIGINAL.fullmatch(path):
                named = self._shop.catalogue.by_file(found[1])
                return _served(self._album.bytes_of(named[1].picture)) if named else of_gateway(404)
            if found := _RENDITION.fullmatch(path):
                return self._fitted(int(found[1]), int(found[2]), int(found[3]), int(found[4]))
            if found := _STENCIL.fullmatch(path):
                width = int(found[2] or found[4] or _HIGHEST)
                return self._fitted(int(found[5]), int(found[6]), width, int(found[3] or _HIGHEST))
        except OSError:
            pass
        return of_gateway(404)

    def _imported(self, name: str) -> Reply:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()) or path.stat().st_size > LARGEST:
            return of_gateway(404)
        return _served(path.read_bytes())

    def _fitted(self, product_id: int, image_id: int, width: int, height: int) -> Reply:
        product = self._shop.catalogue.look(product_id)
        image = product.image(image_id) if product else None
        if image is None:
            return of_gateway(404)
        data = self._album.bytes_of(image.picture)
        if min(width, height) >= _HIGHEST:
            return _served(data)
        return _served(*rendition(data, max(1, width), max(1, height)))

    def _page(self, page: int) -> Reply:
        catalogue = self._shop.catalogue
        ids = catalogue.ids()
        shown = (catalogue.look(each) for each in ids[(page - 1) * _PAGE : page * _PAGE])
        rows = "".join(self._row(each) for each in shown if each is not None)
        links = "".join(
            f'<a href="/?page={n}">{text}</a> '
            for n, text in ((page - 1, "earlier"), (page + 1, "later"))
            if 0 < n <= -(-len(ids) // _PAGE)
        )
        total = f"{len(ids)} products, {catalogue.total_images} images"
        return Reply(200, _FRAME.format(total=total, rows=rows, links=links).encode(), "text/html; charset=utf-8")

    def _row(self, product: Product) -> str:
        ordered = sorted(product.images, key=lambda each: (each.sort_order, each.image_id))
        shown = "".join(
            f'<figure><a href="/product_images/{escape(each.image_file)}">'
            f'<img loading="lazy" src="{escape(self._addresses.renditions(product.product_id, each)["standard_url"])}"></a>'
            f"<figcaption>{each.image_id} · {each.sort_order}{' · thumbnail' if each.is_thumbnail else ''}<br>"
            f"{escape(each.description)}</figcaption></figure>"
            for each in ordered
        )
        return f"<h2>{product.product_id} {escape(product.name)}</h2><div>{shown or 'no images'}</div>"


def _served(data: bytes, extension: str | None = None) -> Reply:
    name = extension or kind(data) or ""
    return Reply(200, data, MEDIA_TYPES.get(name, "application/octet-stream"))


_FRAME = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>imageferry sandbox</title><style>
body{{font:15px sans-serif;margin:2em}}div{{display:flex;flex-wrap:wrap;gap:1em}}figure{{margin:0;width:220px}}
img{{max-width:220px;max-height:290px}}h2{{font-size:1em}}figcaption{{font-size:.85em;color:#555}}
</style></head><body><h1>imageferry sandbox: {total}</h1>{rows}<p>{links}</p></body></html>"""
