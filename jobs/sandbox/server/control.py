"""The control plane below `/_sandbox/`: log, state, faults, settings, edits by another person. Neither metered nor logged."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from ..api.messages import JSON, Call, Reply, of_gateway, of_json
from ..config import FIXED, change, switches
from ..faults import Script, from_values

if TYPE_CHECKING:
    from ..shop.catalog import Product
    from ..traffic.pipeline import RequestPipeline
    from .picture_store import PictureStore


class Control:
    """Answers the control calls."""

    def __init__(self, conductor: RequestPipeline, album: PictureStore) -> None:
        self._conductor = conductor
        self._config = conductor.config
        self._shop = conductor.api.shop
        self._album = album

    async def answer(self, method: str, target: str, body: bytes) -> Reply:
        """Answer one control call; a mistake in it is a 400 that names it."""
        path, _, query = target.partition("?")
        try:
            match method, path:
                case "GET", "/_sandbox/log":
                    return self._log()
                case "DELETE", "/_sandbox/log":
                    self._conductor.log.clear()
                    return Reply(204)
                case "GET", "/_sandbox/state":
                    return await self._state(parse_qs(query))
                case "GET" | "POST", "/_sandbox/faults":
                    return self._faults(method, body)
                case "GET" | "POST", "/_sandbox/settings":
                    return self._settings(method, body)
                case "POST", "/_sandbox/edit":
                    asked = _object(body)
                    return await self.edit(*_edit(asked))
        except (ValueError, TypeError, KeyError) as error:
            return of_json(400, {"error": f"{error}"})
        return of_gateway(404)

    def _log(self) -> Reply:
        lines = [
            orjson.dumps(each.values(), option=orjson.OPT_APPEND_NEWLINE) for each in self._conductor.log.entries()
        ]
        return Reply(200, b"".join(lines), "application/x-ndjson")

    async def _state(self, query: dict[str, list[str]]) -> Reply:
        """Every product a line as it is at this moment, or those of `product_id`; with `digests` each picture's SHA-256."""
        catalogue = self._shop.catalogue
        ids = [int(each) for each in query.get("product_id", [])]
        wanted = (catalogue.look(each) for each in ids) if ids else catalogue.all()
        rows = [_row(each) for each in wanted if each is not None]
        if "digests" in query:
            await asyncio.to_thread(self._add_digests, rows)
        lines = [orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in rows]
        return Reply(200, b"".join(lines), "application/x-ndjson")

    def _add_digests(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            for image in row["images"]:
                image["sha256"] = sha256(self._album.bytes_of(image["picture"])).hexdigest()

    def _faults(self, method: str, body: bytes) -> Reply:
        """Replace all faults by a list of them, or `{"seed": n, "faults": [...]}`; what is left out of one has its default."""
        if method == "POST":
            asked = orjson.loads(body)
            asked = asked if isinstance(asked, dict) else {"faults": asked}
            told, seed = asked.get("faults"), asked.get("seed", self._config.seed)
            if not isinstance(told, list):
                raise TypeError("faults: a list of faults is needed here")
            if type(seed) is not int:
                raise TypeError("seed: must be a whole number")
            self._conductor.script = Script([from_values(each) for each in told], seed)
        return of_json(200, self._conductor.script.statistics())

    def _settings(self, method: str, body: bytes) -> Reply:
        """Change the named settings, all or none; return all that can be changed, and what became of the quota."""
        if method == "POST":
            change(self._config, _object(body))
        shown = {each.name: getattr(self._config, each.name) for each in switches() if each.name not in FIXED}
        return of_json(200, {**shown, "usage": asdict(self._conductor.meter.usage)})

    async def edit(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        """Do what another person does, the path as below `/v2`: past quota, faults and log.

        `POST /products` with `id`, `sku`, `name` adds a product, `DELETE /products/{id}` removes one; all else is the API's.
        """
        catalogue = self._shop.catalogue
        if (method, path) == ("POST", "/products"):
            return of_json(201, {"id": catalogue.add(**_product(body or {})).product_id})
        if method == "DELETE" and path.count("/") == 2:
            catalogue.remove(int(path.rpartition("/")[2]))
            return Reply(204)
        target = f"/stores/{self._config.store_hash}/v2{path}"
        call = Call(method, target, content_type=JSON, body=b"" if body is None else orjson.dumps(body))
        source = self._conductor.api.source(call)
        picture = None if source is None else await self._conductor.fetch(source)
        return self._conductor.api.answer(call, self._conductor.clock(), picture)


def _edit(asked: dict[str, Any]) -> tuple[str, str, dict[str, Any] | None]:
    method, path, body = asked.get("method"), asked.get("path"), asked.get("body")
    if not isinstance(method, str) or not isinstance(path, str):
        raise TypeError("method and path: an edit needs both, as texts")
    if body is not None and not isinstance(body, dict):
        raise TypeError("body: must be an object")
    return method, path, body


def _row(product: Product) -> dict[str, Any]:
    images = [asdict(each) for each in product.images]
    return {"product_id": product.product_id, "sku": product.sku, "name": product.name, "images": images}


def _product(body: dict[str, Any]) -> dict[str, Any]:
    return {"product_id": body.get("id"), "sku": body.get("sku", ""), "name": body.get("name", "")}


def _object(body: bytes) -> dict[str, Any]:
    value = orjson.loads(body)
    if not isinstance(value, dict):
        raise TypeError("a JSON object is needed here")
    return value
