"""The witness: what happened in the shop, image by image, by whose hand, and every call that the engine sent. Laws read nothing else.

`WatchedShop` is the sandbox's own shop; it only writes down what is done to it. Who does it is told by a context variable.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from imageferry.jobs.sandbox.shop.rules import Draft, Shop

from .judge import SIGNED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imageferry.jobs.sandbox.config import Config
    from imageferry.jobs.sandbox.shop.catalog import Catalogue, Image


@dataclass
class Sent:
    """One call that the engine sent, and what became of it as the caller saw it ("" while it is out, or for ever)."""

    number: int
    at: float
    process: int
    night: int
    method: str
    path: str
    product: int
    image: int
    body: dict[str, Any]
    told: str = ""
    told_at: float = 0.0
    status: int = 0
    usable: bool = False
    arrived: bool = False
    committed_at: float | None = None
    images: list[int] = field(default_factory=list)
    gallery: list[Shown] = field(default_factory=list)
    intent: str = ""
    asked: float = 0.0

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def source(self) -> str:
        return str(self.body.get("image_file", ""))

    @property
    def verb(self) -> str:
        return {"GET": "get", "POST": "create", "PUT": "update"}.get(self.method, "delete" if self.image else "empty")


OTHER = "another person"
ACTOR: ContextVar[Sent | str] = ContextVar("ACTOR", default=OTHER)


@dataclass(frozen=True)
class Shown:
    """One image as it stood at a moment; `label` is the source's file name that it was made from."""

    image_id: int
    label: str
    description: str
    sort_order: int
    is_thumbnail: bool


@dataclass
class Happening:
    """One thing done in the shop: its kind, by whom, which images, and the gallery after it."""

    at: float
    actor: Sent | str
    kind: str
    product: int
    images: list[int]
    after: list[Shown]

    @property
    def ours(self) -> bool:
        return not isinstance(self.actor, str)


@dataclass
class Life:
    """One image's life."""

    image_id: int
    product: int
    label: str
    born: float
    maker: Sent | str
    died: float | None = None
    taker: Sent | str | None = None

    def alive(self, at: float) -> bool:
        return self.born <= at and (self.died is None or self.died > at)


def _label(draft: Draft) -> str:
    """Return an image's label: its source's name and the unsigned part of its address."""
    query = f"?{draft.query}" if draft.query else ""
    return draft.name + ("" if query.startswith(SIGNED) else query)


class WatchedShop(Shop):
    """The shop with its memory."""

    def __init__(self, config: Config, catalogue: Catalogue, clock: Callable[[], float]) -> None:
        super().__init__(config, catalogue)
        self.clock = clock
        self.happenings: list[Happening] = []
        self.lives: dict[int, Life] = {}
        self.on_change: Callable[[], None] = lambda: None

    def create(self, product_id: int, draft: Draft, now: float) -> Image:
        image = super().create(product_id, draft, now)
        self.lives[image.image_id] = Life(image.image_id, product_id, _label(draft), self.clock(), ACTOR.get())
        self._happened("create", product_id, [image.image_id])
        return replace(image)

    def update(self, product_id: int, image_id: int, draft: Draft, now: float) -> Image:
        image = super().update(product_id, image_id, draft, now)
        self._happened("update", product_id, [image_id])
        return replace(image)

    def delete(self, product_id: int, image_ids: Sequence[int], now: float) -> None:
        there = {shown.image_id for shown in self.gallery(product_id)}
        super().delete(product_id, image_ids, now)
        gone = [image_id for image_id in image_ids if image_id in there]
        for image_id in gone:
            self.lives[image_id].died, self.lives[image_id].taker = self.clock(), ACTOR.get()
        self._happened("delete", product_id, gone)

    def gallery(self, product_id: int) -> list[Shown]:
        """The product as it stands, in the order that customers see."""
        product = self.catalogue.look(product_id)
        images = product.images if product is not None else []
        shown = [
            Shown(i.image_id, self.lives[i.image_id].label, i.description, i.sort_order, i.is_thumbnail) for i in images
        ]
        return sorted(shown, key=lambda s: (s.sort_order, s.image_id))

    def _happened(self, kind: str, product: int, images: list[int]) -> None:
        actor = ACTOR.get()
        self.happenings.append(Happening(self.clock(), actor, kind, product, images, self.gallery(product)))
        if isinstance(actor, Sent):
            actor.committed_at = self.clock()
            actor.images = actor.images + images
            self.on_change()
