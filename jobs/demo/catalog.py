"""A made-up shop for the demo: a dozen products, their pictures drawn on the spot, and the manifest that wants them. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

_THINGS = ("Kettle", "Teapot", "Mug", "Jug", "Bowl", "Plate", "Lamp", "Vase", "Tray", "Clock", "Stool", "Basket")
_VIEWS = ("Front", "Side", "Back", "Detail")
_SIZE = (640, 480)


@dataclass(slots=True, frozen=True)
class DemoPicture:
    """One picture of one product: where it is served, and what the manifest says of it."""

    product_id: int
    thing: str
    view: str
    sort_order: int

    @property
    def path(self) -> str:
        """Below the picture server's address."""
        return f"/pictures/{self.thing.lower()}-{self.view.lower()}.jpg"

    def row(self, site: str) -> dict[str, Any]:
        """The image as a manifest has it."""
        return {
            "image_file": site + self.path,
            "description": f"{self.thing}, {self.view.lower()}",
            "sort_order": self.sort_order,
            "is_thumbnail": self.sort_order == 0,
        }

    def drawn(self) -> bytes:
        """The picture itself, a JPEG: a shape of its own on a colour of its own."""
        number = (self.product_id - 1) * len(_VIEWS) + self.sort_order
        shade = Image.linear_gradient("L").resize(_SIZE)
        picture = Image.composite(
            Image.new("RGB", _SIZE, _tone(number, 235)), Image.new("RGB", _SIZE, _tone(number, 150)), shade
        )
        pen = ImageDraw.Draw(picture)
        reach = 90 + 12 * (self.product_id % 6)
        box = (320 - reach - 20 * self.sort_order, 220 - reach, 320 + reach + 20 * self.sort_order, 220 + reach)
        shapes = (pen.ellipse, pen.rectangle, pen.chord)
        more = {"start": 20, "end": 200} if self.product_id % 3 == 2 else {}
        shapes[self.product_id % 3](box, fill=_tone(number + 20, 110), outline=(255, 255, 255), width=6, **more)
        pen.text((24, 440), f"{self.thing} {self.view}", fill=(20, 20, 20))
        out = BytesIO()
        picture.save(out, "JPEG", quality=85)
        return out.getvalue()


def _tone(number: int, bright: int) -> tuple[int, int, int]:
    return (bright - number * 37 % 90, bright - number * 53 % 90, bright - number * 71 % 90)


def catalogue() -> list[DemoPicture]:
    """Every picture that the shop has: three or four of each product."""
    return [
        DemoPicture(product_id, thing, view, order)
        for product_id, thing in enumerate(_THINGS, 1)
        for order, view in enumerate(_VIEWS[: 3 + product_id % 2])
    ]


def manifest(site: str) -> str:
    """What the store shall have: a product a line."""
    return _lines(
        {number: [each.row(site) for each in catalogue() if each.product_id == number] for number in _numbers()}
    )


def before(site: str) -> str:
    """What the store has when the demo begins: a few images, one with an old description, one that nobody wants any more."""
    kept = [each.row(site) for each in catalogue() if each.product_id in {1, 2} and each.sort_order < 2]
    kept[1]["description"] = "Kettle (old photo)"
    surplus = {"image_file": f"{site}/pictures/basket-detail.jpg", "description": "Last year's", "sort_order": 3}
    return _lines({number: kept[2 * number - 2 : 2 * number] + [surplus] * (number == 2) for number in _numbers()})


def _numbers() -> range:
    return range(1, len(_THINGS) + 1)


def _lines(images: dict[int, list[dict[str, Any]]]) -> str:
    return "".join(json.dumps({"product_id": number, "images": rows}) + "\n" for number, rows in images.items())
