"""A made-up catalogue with a manifest for it, and the judge: the store's own state against the manifest, engine not asked."""

from __future__ import annotations

import random
from pathlib import PurePosixPath
from typing import Any

import aiohttp
import orjson

Row = dict[str, Any]


def manifest_for(products: int, images: int, seed: int = 0, *, start: int = 1) -> list[Row]:
    """Rows that keep, drop, add, reorder, retitle and move thumbnails of `images` existing pictures a product."""
    chance = random.Random(seed)
    return [_product(product_id, images, chance) for product_id in range(start, start + products)]


def _product(product_id: int, images: int, chance: random.Random) -> Row:
    if chance.random() < 0.03:
        return {"product_id": product_id, "images": []}
    names = [f"product-{product_id}-{n}.jpg" for n in range(1, images + 1) if chance.random() > 0.15]
    names += [f"new-{product_id}-{n}.jpg" for n in range(1, 4) if chance.random() < 0.35]
    if chance.random() < 0.7:
        chance.shuffle(names)
    rows: list[Row] = [{"image_file": f"https://old.example.com/{product_id}/{name}"} for name in names]
    _order(rows, chance)
    if rows and chance.random() < 0.6:
        for row in rows:
            row["is_thumbnail"] = False
        chance.choice(rows)["is_thumbnail"] = True
    for row in rows:
        if chance.random() < 0.3:
            row["description"] = chance.choice(["", "View 1", "Zürich – front", "side"])
    return {"product_id": product_id, "images": rows}


def _order(rows: list[Row], chance: random.Random) -> None:
    way = chance.random()
    if way < 0.6:
        for place, row in enumerate(rows):
            row["sort_order"] = place
    elif way < 0.75:
        for row, value in zip(rows, sorted(chance.sample(range(40), len(rows))), strict=True):
            row["sort_order"] = value
    elif way < 0.9:
        for row in rows:
            row["sort_order"] = chance.choice([0, 0, 1])
        rows.sort(key=lambda row: row["sort_order"])


def lines(rows: list[Row]) -> bytes:
    """The rows as a JSON Lines manifest."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


async def state(url: str, *, digests: bool = False) -> dict[int, list[Row]]:
    """The store's own word on its galleries, by product."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/_sandbox/state{'?digests=1' * digests}") as answer,
    ):
        rows = [orjson.loads(line) for line in (await answer.read()).splitlines()]
    return {row["product_id"]: row["images"] for row in rows}


async def log(url: str) -> list[Row]:
    """The store's log of calls."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/_sandbox/log") as answer:
        return [orjson.loads(line) for line in (await answer.read()).splitlines()]


async def control(url: str, path: str, body: Any) -> None:
    """Tell the sandbox something: faults, settings, edits."""
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{url}/_sandbox/{path}", data=orjson.dumps(body)) as answer:
            assert answer.status < 300, await answer.text()


def writes(calls: list[Row]) -> list[Row]:
    """The calls that could change the store."""
    return [call for call in calls if call["method"] != "GET"]


def plain(image_file: str) -> str:
    """A stored name as the catalogue above named it."""
    path = PurePosixPath(image_file)
    return path.stem.split("__")[0] + path.suffix


def differences(rows: list[Row], galleries: dict[int, list[Row]], *, mirror: bool = True) -> list[str]:
    """Where the store is not as the manifest says; sort orders that tie are judged by the order alone."""
    told = []
    for row in rows:
        gallery = sorted(galleries[row["product_id"]], key=lambda image: (image["sort_order"], image["image_id"]))
        told += [f"product {row['product_id']}: {what}" for what in _compare(row["images"], gallery, mirror=mirror)]
    return told


def _compare(wanted: list[Row], gallery: list[Row], *, mirror: bool) -> list[str]:
    there = {plain(image["image_file"]): image for image in gallery}
    names = [image["image_file"].rpartition("/")[2] for image in wanted]
    told = [f"{name} is missing" for name in names if name not in there]
    counted = [plain(image["image_file"]) for image in gallery]
    told += [f"{name} is there {counted.count(name)} times" for name in set(counted) if counted.count(name) > 1]
    if mirror:
        told += [f"{name} is surplus" for name in counted if name not in names]
    if told:
        return told
    for name, image in zip(names, wanted, strict=True):
        for field in ("description", "is_thumbnail"):
            if field in image and image[field] != there[name][field]:
                told.append(f"{name}: {field} is {there[name][field]!r}, not {image[field]!r}")
    return told + _judge_order(wanted, names, there)


def _judge_order(wanted: list[Row], names: list[str], there: dict[str, Row]) -> list[str]:
    asked = [image["sort_order"] for image in wanted if "sort_order" in image]
    managed = [name for name, image in zip(names, wanted, strict=True) if "sort_order" in image]
    if len(set(asked)) == len(asked):
        return [
            f"{name}: sort_order is {there[name]['sort_order']}, not {value}"
            for name, value in zip(managed, asked, strict=True)
            if there[name]["sort_order"] != value
        ]
    should = [name for _, _, name in sorted(zip(asked, range(len(asked)), managed, strict=True))]
    stands = sorted(managed, key=lambda name: (there[name]["sort_order"], there[name]["image_id"]))
    return [] if stands == should else [f"the order is {stands}, not {should}"]
