"""Everything that one seed decides: the shop and its habits, the user's settings, the nights. Pure.

Each trouble is on in some seeds and off in others (else every seed would be the same soup), and which are on is part of the draw.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from imageferry.jobs.sandbox.config import Config
from imageferry.jobs.sandbox.faults import Fault

from . import manifests, troubles, undo_nights
from .again import draw_again, draw_undone_at_once
from .judge import label_of
from .own_values import draw_own_values
from .refusals import draw_refusals
from .source_names import draw_source_names

if TYPE_CHECKING:
    from .manifests import Row
    from .troubles import Deed, Doom
    from .undo_nights import Undo

Mode = Literal["sync", "migrate", "apply", "apply without deletes", "undo"]
_MODES: tuple[Mode, ...] = ("sync", "sync", "sync", "migrate", "migrate", "apply", "apply", "apply without deletes")
NOWHERE = 99
"""A product that a manifest may name and the shop doesn't have."""


@dataclass
class Night:
    """One command, given until it ends, or (`most`) until the person thinks of something else.

    `forgets`: the checkpoint and all beside it were lost before it; `at_once`: it follows on the one before without a pause.
    """

    mode: Mode
    rows: list[Row]
    noisy: bool
    dooms: list[Doom] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    faults: tuple[Fault, ...] = ()
    down: list[tuple[float, float]] = field(default_factory=list)
    quotas: list[tuple[float, int]] = field(default_factory=list)
    pause: float = 60.0
    most: int | None = None
    vandals: list[Deed] = field(default_factory=list)
    forgets: bool = False
    backup: bool = False
    fresh: bool = False
    undo: Undo | None = None
    nap: tuple[int, float] | None = None
    at_once: bool = False

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
    """The scenario of a seed; kinds of trouble that came later are drawn by chances of their own, and leave the rest as it was."""
    scenario = _drawn(seed)
    with_undo = undo_nights.drawn(seed, scenario)
    if with_undo is scenario:
        draw_own_values(scenario)
        draw_source_names(scenario)
        draw_refusals(scenario)
        draw_again(scenario)
    else:
        draw_undone_at_once(with_undo)
    return with_undo


def _drawn(seed: int) -> Scenario:
    chance = Random(f"imageferry {seed}")
    config, settings = _config(chance), _settings(chance)
    if chance.random() < 0.08:
        return _busy(chance, seed, config, settings)
    if chance.random() < 0.3:
        config.list_lag = chance.uniform(0.1, min(0.8 * settings["settle"], 15.0))
    galleries = {number: manifests.gallery(chance, number) for number in range(1, chance.randint(3, 7))}
    if chance.random() < 0.015:
        galleries[1] = manifests.gallery(chance, 1, 60)
    named = sorted(galleries)[: max(2, len(galleries) - chance.randint(0, 1))]
    rows = [manifests.row(chance, number, galleries[number]) for number in named]
    if chance.random() < 0.04:
        rows.append(manifests.row(chance, NOWHERE, []))
    return Scenario(seed, config, galleries, _nights(chance, rows, list(galleries), config), settings)


def _busy(chance: Random, seed: int, config: Config, settings: dict[str, Any]) -> Scenario:
    """Many products under a small quota with short windows, and answers that come windows late: what a quota controller must bear."""
    config.quota, config.window_ms, config.windows = chance.choice([6, 10]), 2000, "aligned"
    config.latency, config.jitter, config.write_latency, config.other_rate = 0.05, 0.1, 0.0, 0.0
    settings["rate"] = settings["concurrency"] = None
    galleries = {number: manifests.gallery(chance, number) for number in range(1, 13)}
    rows = [manifests.row(chance, number, galleries[number]) for number in galleries]
    mode = chance.choice(_MODES)
    nights = [Night(mode, rows, noisy=True, faults=(Fault("slow", 0.2, delay=2.5),)), Night(mode, rows, noisy=False)]
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


def _settings(chance: Random) -> dict[str, Any]:
    return {
        "settle": chance.choice([0.5, 2.0, 5.0, 10.0, 20.0, 40.0]),
        "give_up_after": chance.choice([60.0, 600.0]),
        "stall_after": chance.choice([20.0, 120.0]),
        "concurrency": chance.choice([None, None, 1, 3]),
        "rate": chance.choice([None, None, None, 4.0]),
        "max_deletes": chance.choice(["100%"] * 10 + ["30%", "3", "0"]),
        "allow": chance.random() < 0.85,
    }


def _nights(chance: Random, rows: list[Row], products: list[int], config: Config) -> list[Night]:
    """A quiet first night now and then (always where names are lost, that it be seen), noisy ones, and a quiet one at the end."""
    mode = chance.choice(_MODES)
    nights: list[Night] = []
    if chance.random() < (1.0 if config.names == "lost" else 0.45):
        nights.append(Night(chance.choice(["sync", "migrate"]) if mode != "migrate" else "migrate", rows, noisy=False))
        rows = manifests.later(chance, rows)
    for _ in range(chance.choice([1, 1, 1, 2])):
        night = _noisy(chance, mode, rows, products, config)
        nights.append(night)
        if len(nights) > 1 and chance.random() < 0.1:
            night.vandals = [troubles.deletion(chance, products) for _ in range(12)]
        if chance.random() < 0.2:
            rows = manifests.later(chance, rows)
        if chance.random() < 0.05:
            rows = manifests.cut_short(chance, rows)
        if chance.random() < 0.12:
            night.most = chance.choice([1, 2])
            mode = chance.choice(_MODES)
    nights.append(Night(mode, rows if nights[-1].most else nights[-1].rows, noisy=False))
    return nights


def _noisy(chance: Random, mode: Mode, rows: list[Row], products: list[int], config: Config) -> Night:
    night = Night(mode, rows, noisy=True)
    if chance.random() < 0.75:
        night.faults = troubles.faults(chance)
    if chance.random() < 0.65:
        night.dooms = [troubles.doom(chance) for _ in range(chance.choice([1, 1, 2, 3, 5]))]
    if chance.random() < 0.3:
        labels = {row["product_id"]: [label_of(image) for image in row["images"]] for row in rows}
        # Where names are lost, what others add may rightly be taken for a create whose answer was lost.
        may_add = config.names != "lost"
        night.deeds = [
            troubles.deed(chance, products, labels, may_add=may_add) for _ in range(chance.choice([1, 1, 2, 4]))
        ]
    if chance.random() < 0.1:
        begin = chance.uniform(0.0, 40.0)
        night.down = [(begin, begin + chance.choice([2.0, 20.0, 100.0]))]
    if config.quota is not None and chance.random() < 0.2:
        since, quota = chance.uniform(0.0, 60.0), chance.choice([8, 20, 150])
        # Where others want nearly all of it, a night has no end, whoever sails.
        if config.other_rate * config.window_ms / 1000 <= quota / 2:
            night.quotas = [(since, quota)]
    return night
