"""Everything that one seed decides: the shop and its habits, the manifests, who else is there, and what goes wrong when. Pure.

Each trouble is on in some seeds and off in others (else every seed would be the same soup), and which are on is part of the draw.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from jobs.sandbox.config import Config
from jobs.sandbox.faults import Fault

Row = dict[str, Any]
Mode = Literal["sync", "migrate", "apply", "apply without deletes"]

LATEST_COMMIT = 30.0
"""Seconds after a lost answer within which its commit may still land (issue 4, point 1)."""


@dataclass
class Doom:
    """What befalls one process: where it ends (`way`, `at`), whether with a power cut, when it is told to stop, what its disk does."""

    way: str = ""
    at: int = 0
    power: bool = False
    stops: list[int] = field(default_factory=list)
    disk: tuple[int, int, int] | None = None
    pause: float = 1.0


@dataclass
class Deed:
    """One thing that another person does, `at` seconds after the night began; `pick` chooses the image."""

    at: float
    kind: str
    product: int
    pick: float
    label: str = ""


@dataclass
class Night:
    """One command, given until it ends."""

    mode: Mode
    rows: list[Row]
    noisy: bool
    dooms: list[Doom] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    faults: tuple[Fault, ...] = ()
    down: list[tuple[float, float]] = field(default_factory=list)
    quotas: list[tuple[float, int]] = field(default_factory=list)
    pause: float = 60.0

    @property
    def deletes(self) -> bool:
        return self.mode in {"sync", "apply"}


@dataclass
class Scenario:
    """A whole story, told before it happens."""

    seed: int
    config: Config
    galleries: dict[int, list[Row]]
    nights: list[Night]
    settings: dict[str, Any]


def draw(seed: int) -> Scenario:
    """The scenario of a seed."""
    chance = Random(f"imageferry {seed}")
    config = _config(chance)
    settings = _settings(chance)
    config.list_lag = _lag(chance, settings["settle"])
    galleries = {number: _gallery(chance, number) for number in range(1, chance.randint(3, 7))}
    named = sorted(galleries)[: max(2, len(galleries) - chance.randint(0, 1))]
    nights = _nights(chance, galleries, named, config)
    if config.other_rate:
        settings["others"] = True
    return Scenario(seed, config, galleries, nights, settings)


def _config(chance: Random) -> Config:
    config = Config(products=0, store_hash="sim", access_token="sim", seed=chance.randrange(1 << 30), fetch=False)
    config.renumber = chance.choice(["none", "raised", "raised", "always"])
    config.renumber_on_create = chance.random() < 0.3
    config.unsorted = chance.choice(["zero", "last"])
    config.promote_after_delete = chance.random() < 0.3
    config.names = chance.choice(["kept", "kept", "prefixed", "lost"] if chance.random() < 0.4 else ["kept"])
    config.underscores = chance.choice(["characters", "bytes"])
    config.delete_many = chance.choice(["page", "all"])
    config.empty = chance.choice(["204", "list", "null"])
    config.page_cap = chance.choice([0, 0, 50])
    config.parallel_writes = chance.choice(["allowed", "conflict"])
    config.latency = chance.choice([0.0, 0.05, 0.3])
    config.jitter = chance.choice([0.0, 0.2, 1.0])
    config.write_latency = chance.choice([0.0, 0.0, 0.5, 3.0])
    config.quota = chance.choice([None, None, 12, 30, 150])
    config.window_ms = chance.choice([5_000, 30_000, 30_000])
    config.windows = chance.choice(["aligned", "first-call"])
    config.retry_after = chance.random() < 0.5
    config.whole_seconds = chance.random() < 0.2
    if config.quota is not None and chance.random() < 0.25:
        config.other_rate = config.quota / (config.window_ms / 1000) * chance.uniform(0.1, 0.4)
    return config


def _lag(chance: Random, settle: float) -> float:
    kind = chance.random()
    return 0.0 if kind < 0.7 else chance.uniform(0.1, min(0.8 * settle, 15.0))


def _settings(chance: Random) -> dict[str, Any]:
    return {
        "settle": chance.choice([0.5, 2.0, 5.0, 10.0, 20.0, 40.0]),
        "give_up_after": chance.choice([60.0, 600.0]),
        "stall_after": chance.choice([20.0, 120.0]),
        "concurrency": chance.choice([None, None, 1, 3]),
        "rate": chance.choice([None, None, None, 4.0]),
        "max_deletes": chance.choice(["100%", "100%", "100%", "100%", "30%", "3", "0"]),
        "allow": chance.random() < 0.85,
    }


def _gallery(chance: Random, number: int) -> list[Row]:
    images: list[Row] = []
    for n in range(chance.choice([0, 1, 2, 3, 4])):
        images.append(
            {
                "label": f"pic-{number}-{n}.jpg",
                "description": chance.choice(["", "View", "Zürich – front"]),
                "sort_order": chance.choice([n, n, n, 0, n * 3]),
            }
        )
    return images


def _nights(chance: Random, galleries: dict[int, list[Row]], named: list[int], config: Config) -> list[Night]:
    rows = [_row(chance, number, galleries[number]) for number in named]
    mode: Mode = chance.choice(["sync", "sync", "sync", "migrate", "migrate", "apply", "apply", "apply without deletes"])
    nights: list[Night] = []
    if chance.random() < (1.0 if config.names == "lost" else 0.4):
        nights.append(Night(chance.choice(["sync", "migrate"]) if mode != "migrate" else "migrate", rows, noisy=False))
        rows = _later(chance, rows)
    for _ in range(chance.choice([1, 1, 1, 2])):
        nights.append(_noisy(chance, mode, rows, list(galleries), config))
        if chance.random() < 0.2:
            rows = _later(chance, rows)
    nights.append(Night(mode, nights[-1].rows, noisy=False))
    return nights


def _row(chance: Random, number: int, gallery: list[Row]) -> Row:
    if chance.random() < 0.12:
        return {"product_id": number, "images": []}
    names = [image["label"] for image in gallery if chance.random() > 0.25]
    names += [f"new-{number}-{n}.jpg" for n in range(3) if chance.random() < 0.45]
    if chance.random() < 0.1:
        names.append(f"a b({number}) ü.JPG")
    if chance.random() < 0.7:
        chance.shuffle(names)
    images: list[Row] = [{"image_file": f"https://old.example.com/{number}/{name}"} for name in names]
    if images and chance.random() < 0.04:
        chance.choice(images)["image_file"] = f"https://old.example.com/dead/{number}.jpg"
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
    for image in images:
        if chance.random() < 0.4:
            image["description"] = chance.choice(["", "View 1", "Zürich – front", "side"])
        if chance.random() < 0.15:
            image["version"] = "1"


def _later(chance: Random, rows: list[Row]) -> list[Row]:
    """The manifest of a later night: pictures retaken, added, dropped, moved."""
    made = []
    for row in rows:
        images = [dict(image) for image in row["images"] if chance.random() > 0.12]
        for image in images:
            if "version" in image and chance.random() < 0.6:
                image["version"] += "1"
        if chance.random() < 0.3:
            images.append({"image_file": f"https://old.example.com/{row['product_id']}/late-{chance.randrange(9)}.jpg"})
        images = list({image["image_file"]: image for image in images}.values())
        if chance.random() < 0.4:
            for image in images:
                for name in ("sort_order", "is_thumbnail", "description"):
                    image.pop(name, None)
            chance.shuffle(images)
            _fields(chance, images)
        made.append({"product_id": row["product_id"], "images": images})
    return made


def _noisy(chance: Random, mode: Mode, rows: list[Row], products: list[int], config: Config) -> Night:
    night = Night(mode, rows, noisy=True)
    if chance.random() < 0.75:
        night.faults = _faults(chance)
    if chance.random() < 0.65:
        night.dooms = [_doom(chance) for _ in range(chance.choice([1, 1, 2, 3, 5]))]
    if chance.random() < 0.3:
        labels = {row["product_id"]: [i["image_file"].rpartition("/")[2] for i in row["images"]] for row in rows}
        night.deeds = [_deed(chance, products, labels, config.names) for _ in range(chance.choice([1, 1, 2, 4]))]
    if chance.random() < 0.1:
        begin = chance.uniform(0.0, 40.0)
        night.down = [(begin, begin + chance.choice([2.0, 20.0, 100.0]))]
    if config.quota is not None and chance.random() < 0.2:
        night.quotas = [(chance.uniform(0.0, 60.0), chance.choice([8, 20, 150]))]
    return night


def _faults(chance: Random) -> tuple[Fault, ...]:
    kinds = chance.sample(
        ["failed_before", "failed_after", "dropped_before", "dropped_after", "late_commit", "late_commit", "late_commit"]
        + ["cut_body", "garbled", "throttled", "bare_429", "slow", "hang", "locked", "conflict"],
        chance.choice([1, 2, 3, 5]),
    )
    return tuple(_fault(chance, kind) for kind in kinds)


def _fault(chance: Random, kind: str) -> Fault:
    share = chance.choice([0.03, 0.1, 0.25, 0.5])
    if kind in {"hang", "slow", "bare_429"}:
        share = min(share, 0.1)
    methods: tuple[str, ...] = chance.choice([(), ("POST",), ("POST",), ("POST", "PUT", "DELETE"), ("PUT",), ("DELETE",)])
    if kind in {"locked", "conflict"} and not methods:
        methods = ("POST", "PUT", "DELETE")
    delay = {
        "late_commit": chance.uniform(0.2, LATEST_COMMIT),
        "slow": chance.choice([2.0, 30.0, 110.0]),
        "hang": 130.0,
    }.get(kind, -1.0)
    status = chance.choice([500, 502, 503, 504]) if kind in {"failed_before", "failed_after", "late_commit"} else 0
    return Fault(kind, share, methods, status=status, delay=delay)


def _doom(chance: Random) -> Doom:
    doom = Doom(power=chance.random() < 0.5, pause=chance.choice([0.0, 1.0, 10.0, 45.0, 45.0, 4000.0]))
    fate = chance.random()
    if fate < 0.75:
        doom.way = chance.choice(["turn", "disk", "wire", "commit"])
        most = {"turn": 2500, "disk": 150, "wire": 120, "commit": 12}[doom.way]
        doom.at = int(most ** chance.random())
    elif fate < 0.9:
        doom.stops = [int(2500 ** chance.random())]
        if chance.random() < 0.3:
            doom.stops.append(doom.stops[0] + int(300 ** chance.random()))
    else:
        number = chance.choice([errno.ENOSPC, errno.EIO, errno.EROFS])
        doom.disk = (int(120 ** chance.random()), chance.choice([1, 1000]), number)
    return doom


def _deed(chance: Random, products: list[int], labels: dict[int, list[str]], names: str) -> Deed:
    product = chance.choice(products)
    kind = chance.choice(["add", "add", "delete", "reorder", "thumbnail", "retitle"])
    if names == "lost" and kind == "add":
        kind = "retitle"  # there an added image may rightly be taken for a lost create's
    label = f"theirs-{chance.randrange(100)}.jpg"
    if labels.get(product) and chance.random() < 0.2:
        label = chance.choice(labels[product])
    at = chance.choice([chance.uniform(0.0, 5.0), chance.uniform(0.0, 60.0)])
    return Deed(at, kind, product, chance.random(), label)
