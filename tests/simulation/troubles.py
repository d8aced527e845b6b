"""Random faults of a run: network, process, disk, and changes by other people. Pure."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imageferry.jobs.sandbox.faults import Fault

if TYPE_CHECKING:
    from random import Random

LATEST_COMMIT = 30.0
"""Seconds after a lost answer within which its commit may still land (issue 4, point 1)."""
_WRITES = ("POST", "PUT", "DELETE")
_KINDS = (
    *("failed_before", "failed_after", "dropped_before", "dropped_after", "late_commit", "late_commit", "late_commit"),
    *("cut_body", "garbled", "throttled", "bare_429", "slow", "hang", "locked", "conflict"),
)
_FAR = {"turn": 2500, "disk": 150, "wire": 120, "commit": 12}


@dataclass
class Doom:
    """Faults of one process: its end (`way`, `at`), a power cut, a stop request, disk errors."""

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


def faults(chance: Random) -> tuple[Fault, ...]:
    """A few kinds of fault, each at a share of its own."""
    kinds = chance.sample(_KINDS, chance.choice([1, 2, 3, 5]))
    return tuple(_fault(chance, kind) for kind in kinds)


def _fault(chance: Random, kind: str) -> Fault:
    share = chance.choice([0.03, 0.1, 0.25, 0.5])
    if kind in {"hang", "slow", "bare_429"}:
        share = min(share, 0.1)
    methods: tuple[str, ...] = chance.choice([(), ("POST",), ("POST",), _WRITES, ("PUT",), ("DELETE",)])
    if kind in {"locked", "conflict"} and not methods:
        methods = _WRITES
    delay = {
        "late_commit": chance.uniform(0.2, LATEST_COMMIT),
        "slow": chance.choice([2.0, 30.0, 110.0]),
        "hang": 130.0,
    }.get(kind, -1.0)
    status = chance.choice([500, 502, 503, 504]) if kind in {"failed_before", "failed_after", "late_commit"} else 0
    return Fault(kind, share, methods, status=status, delay=delay)


def doom(chance: Random) -> Doom:
    """One process's fate; early ends are as likely as late ones, whatever they are counted in."""
    made = Doom(power=chance.random() < 0.5, pause=chance.choice([0.0, 1.0, 10.0, 45.0, 45.0, 4000.0]))
    fate = chance.random()
    if fate < 0.75:
        made.way = chance.choice(list(_FAR))
        made.at = int(_FAR[made.way] ** chance.random())
    elif fate < 0.9:
        made.stops = [int(2500 ** chance.random())]
        if chance.random() < 0.3:
            made.stops.append(made.stops[0] + int(300 ** chance.random()))
    else:
        number = chance.choice([errno.ENOSPC, errno.EIO, errno.EROFS])
        made.disk = (int(120 ** chance.random()), chance.choice([1, 1000]), number)
    return made


def deed(chance: Random, products: list[int], labels: dict[int, list[str]], *, may_add: bool) -> Deed:
    """One thing that somebody does to a gallery; now and then what they add bears the name of a wanted image."""
    product = chance.choice(products)
    kind = chance.choice(["add", "add", "delete", "delete", "reorder", "thumbnail", "retitle"])
    if kind == "add" and not may_add:
        kind = "retitle"
    label = f"theirs-{chance.randrange(100)}.jpg"
    if labels.get(product) and chance.random() < 0.2:
        label = chance.choice(labels[product])
    at = chance.choice([chance.uniform(0.0, 5.0), chance.uniform(0.0, 60.0)])
    return Deed(at, kind, product, chance.random(), label)


def deletion(chance: Random, products: list[int]) -> Deed:
    """One image that goes between two nights, as when a store loses its data."""
    return Deed(0.0, "delete", chance.choice(products), chance.random())
