"""Stories with an undo in them: a run, killed or not, with a backup or without; what becomes of the backup; an undo, killed or not;
a run that comes while the undo is open; the undo again. Drawn by a Random of their own, so that all other seeds keep their stories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from . import troubles

if TYPE_CHECKING:
    from .draw import Night, Scenario
    from .evidence import Evidence
    from .manifests import Row

SHARE = 0.08
"""Of all seeds, so many tell of an undo."""
HARMS = ("another store's", "damaged", "torn", "lost")


@dataclass(frozen=True)
class Undo:
    """Options of an undo, and damage done to the backup before it ("" for none)."""

    backup: bool
    harm: str = ""
    allow_loss: bool = False


def drawn(seed: int, scenario: Scenario) -> Scenario:
    """The scenario, or where the seed tells of an undo, the story made of its first noisy night."""
    chance = Random(f"imageferry {seed} undo")
    if chance.random() >= SHARE:
        return scenario
    settings = scenario.settings | {"max_deletes": "100%", "allow": True}
    return replace(scenario, settings=settings, nights=_nights(chance, scenario))


def _nights(chance: Random, scenario: Scenario) -> list[Night]:
    noisy = next(night for night in scenario.nights if night.noisy)
    rows = [_without_versions(row) for row in noisy.rows]
    backup = chance.random() < 0.75
    plain = replace(noisy, rows=rows, deeds=[], vandals=[], most=None, backup=backup)
    quiet = replace(plain, noisy=False, dooms=[], faults=(), down=[], quotas=[], mode="sync")
    run = replace(plain, mode=chance.choice(["sync", "sync", "sync", "apply", "migrate"]))
    if chance.random() < 0.35:
        run = _broken_off(chance, run)
    harm = chance.choice(HARMS) if chance.random() < 0.4 else ""
    undo = Undo(backup and chance.random() < 0.85, harm, allow_loss=chance.random() < 0.15)
    first = replace(_troubled(chance, plain), mode="undo", undo=undo)
    nights = [run, first]
    if chance.random() < 0.5:
        nights[1] = _broken_off(chance, first)
        if chance.random() < 0.8:
            nights.append(
                replace(quiet, mode=chance.choice(["sync", "sync", "migrate", "apply"]), fresh=chance.random() < 0.2)
            )
        again = replace(
            undo, harm=chance.choice(HARMS) if chance.random() < 0.2 else "", allow_loss=chance.random() < 0.15
        )
        nights.append(replace(quiet, mode="undo", undo=again))
    # With --fresh, lest an undo that could not be finished holds the last night up.
    return [*nights, replace(quiet, fresh=True)]


def _without_versions(row: Row) -> Row:
    images = [{name: value for name, value in image.items() if name != "version"} for image in row["images"]]
    return {**row, "images": images}


def _troubled(chance: Random, night: Night) -> Night:
    faults = troubles.faults(chance) if chance.random() < 0.4 else ()
    dooms = [troubles.doom(chance) for _ in range(chance.choice([1, 1, 2, 3]))] if chance.random() < 0.5 else []
    return replace(night, faults=faults, dooms=dooms, down=[], quotas=[])


def _broken_off(chance: Random, night: Night) -> Night:
    """One process that is killed among its writes, and nobody gives the command again."""
    way = chance.choice(["commit", "commit", "wire", "disk"])
    at = chance.randint(1, {"commit": 6, "wire": 40, "disk": 60}[way])
    return replace(night, dooms=[troubles.Doom(way, at, power=chance.random() < 0.5)], most=1)


def has_undo(case: Evidence) -> bool:
    """Return True if a story has an undo in it."""
    return any(night.mode == "undo" for night in case.nights)


def options_of(night: Night, kept: Any, *, there: bool) -> dict[str, Any]:
    """Return the additional options of a run's command; only an existing backup can be named."""
    if night.undo is not None:
        return {"backup": kept if night.undo.backup and there else None, "allow_loss": night.undo.allow_loss}
    return {"backup": kept if night.backup else None, "fresh": night.fresh}
