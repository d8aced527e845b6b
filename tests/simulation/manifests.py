"""Random manifests: all kinds of sources, sort orders and changes between runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

Row = dict[str, Any]
DEAD = "/dead/"
"""Marker in the address of an image that the shop cannot fetch."""


def gallery(chance: Random, number: int, size: int | None = None) -> list[Row]:
    """The images that a product has at the beginning."""
    size = chance.choice([0, 1, 2, 3, 4]) if size is None else size
    return [
        {
            "label": f"pic-{number}-{n}.jpg",
            "description": chance.choice(["", "View", "Zürich, front"]),
            "sort_order": chance.choice([n, n, n, 0, n * 3]),
        }
        for n in range(size)
    ]


def row(chance: Random, number: int, there: list[Row]) -> Row:
    """Return the next manifest of a product: images kept, dropped, added, reordered."""
    if chance.random() < 0.12 or len(there) > 50:
        return {"product_id": number, "images": []}
    names = [image["label"] for image in there if chance.random() > 0.25]
    names += [f"new-{number}-{n}.jpg" for n in range(3) if chance.random() < 0.45]
    if chance.random() < 0.1:
        names.append(f"a b({number}) ü.JPG")
    if chance.random() < 0.7:
        chance.shuffle(names)
    images: list[Row] = [{"image_file": f"https://old.example.com/{number}/{name}"} for name in names]
    if chance.random() < 0.08:
        images.append({"image_file": f"local-{number}.png"})
    if chance.random() < 0.05:
        images.append({"image_file": f"import:sent-{number}.jpg"})
    if images and chance.random() < 0.04:
        chance.choice(images)["image_file"] = f"https://old.example.com{DEAD}{number}.jpg"
    _fields(chance, images)
    return {"product_id": number, "images": images}


def _fields(chance: Random, images: list[Row]) -> None:
    way = chance.random()
    if way < 0.5:
        for place, image in enumerate(images):
            image["sort_order"] = place
    elif way < 0.65:
        for image, value in zip(images, sorted(chance.sample(range(30), len(images))), strict=True):
            image["sort_order"] = value
    elif way < 0.8:
        for image in images:
            image["sort_order"] = chance.choice([0, 0, 1])
    if images and chance.random() < 0.5:
        for image in images:
            image["is_thumbnail"] = False
        chance.choice(images)["is_thumbnail"] = True
        if chance.random() < 0.4:
            _unmanage(chance, images, "is_thumbnail")
    if chance.random() < 0.15:
        _unmanage(chance, images, "sort_order")
    for image in images:
        if chance.random() < 0.4:
            image["description"] = chance.choice(["", "View 1", "Zürich, front", "side"])
        if chance.random() < 0.15:
            image["version"] = "1"


def _unmanage(chance: Random, images: list[Row], name: str) -> None:
    """Some images don't care."""
    for image in images:
        if chance.random() < 0.5:
            image.pop(name, None)


def later(chance: Random, rows: list[Row]) -> list[Row]:
    """The manifest of a later night: pictures retaken, added, dropped, moved."""
    return [_changed(chance, each) for each in rows]


def _changed(chance: Random, former: Row) -> Row:
    images = [dict(image) for image in former["images"] if chance.random() > 0.12]
    for image in images:
        if "version" in image and chance.random() < 0.6:
            image["version"] += "1"
    if chance.random() < 0.3:
        name = f"late-{chance.randrange(9)}.jpg"
        images.append({"image_file": f"https://old.example.com/{former['product_id']}/{name}"})
    images = list({image["image_file"]: image for image in images}.values())
    if chance.random() < 0.4:
        for image in images:
            for name in ("sort_order", "is_thumbnail", "description"):
                image.pop(name, None)
        chance.shuffle(images)
        _fields(chance, images)
    return {"product_id": former["product_id"], "images": images}


def cut_short(chance: Random, rows: list[Row]) -> list[Row]:
    """The manifest as a broken export leaves it: the same products with far fewer images."""
    return [{**each, "images": each["images"][: chance.choice([0, 1, 1])] or each["images"][:1]} for each in rows]
