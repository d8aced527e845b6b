"""A store as the contract's sentences speak to it, and a site that pictures are fetched from."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import ClientSession, web
from PIL import Image

from imageferry.jobs.sandbox import Config, Sandbox, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def message(self) -> str:
        """The first error's message."""
        return self.json[0]["message"]


@dataclass
class Store:
    """A store as the contract's sentences speak to it: one product to play with, one picture to be had."""

    session: ClientSession
    root: str
    product: int = 1
    picture: str = ""

    @property
    def images(self) -> str:
        return f"/products/{self.product}/images"

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        if body is not None:
            more["json"] = body
        async with self.session.request(method, self.root + path, **more) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.read())

    async def create(self, name: str = "", **fields: Any) -> dict[str, Any]:
        """Create an image and return it as the store shows it; `name` is appended to the picture's URL as a query."""
        answer = await self.call("POST", self.images, {"image_file": self.picture + name, **fields})
        assert answer.status == 201, answer.body
        return answer.json

    async def listed(self) -> list[dict[str, Any]]:
        answer = await self.call("GET", f"{self.images}?limit=250")
        return [] if answer.status == 204 else answer.json or []

    async def orders(self) -> dict[int, int]:
        return {each["id"]: each["sort_order"] for each in await self.listed()}


def drawn(kind: str = "PNG", size: tuple[int, int] = (8, 6), tone: int = 0) -> bytes:
    """Return a small picture of this type."""
    out = BytesIO()
    mode = "1" if kind == "XBM" else "RGB"
    Image.new(mode, size, tone if mode == "1" else (tone % 256, 90, 160)).save(out, kind)
    return out.getvalue()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what the store does by itself."""
    while not holds():
        await asyncio.sleep(0.005)


class Pictures:
    """A site that pictures are fetched from: what each path answers, and how often it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        answer = self.answers.get(request.path)
        if answer is None:
            return web.Response(body=drawn("JPEG"), content_type="text/plain")
        return await answer(request) if callable(answer) else web.Response(body=answer)


@asynccontextmanager
async def opened(
    config: Config, picture: str = "https://pictures.example/Photo.jpg"
) -> AsyncIterator[tuple[Sandbox, Store]]:
    """A sandbox of its own with a store to speak to it; without fetching unless the configuration says so."""
    async with running(config) as sandbox, ClientSession(headers={"X-Auth-Token": sandbox.access_token}) as session:
        yield sandbox, Store(session, f"{sandbox.url}/stores/{sandbox.store_hash}/v2", picture=picture)
