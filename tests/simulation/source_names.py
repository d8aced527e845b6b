"""Sources whose names the store completes or cuts, or whose addresses are signed anew each night, and stores that do so in every way.

Drawn from a Random of its own. Such a story ends with one more quiet night, before which the checkpoint may be lost; its law is here.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from .judge import SIGNED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .draw import Night, Scenario
    from .evidence import Evidence
    from .manifests import Row

_HOW_OFTEN = 0.12
_ENDINGS = (
    ".php",
    ".jfif",
    ".heic",
    ".ashx",
    ".tif",
    ".jpg:large",
    ".jpg!d",
    f"-{'x' * 150}.jpg",
    f"-{'x' * 90}.php",
    "",
)


def draw_source_names(scenario: Scenario) -> None:
    """Give a story such sources and such a store now and then."""
    chance = Random(f"imageferry {scenario.seed} source names")
    # Where names are lost, nothing but memory tells images: that is a kind of its own.
    if chance.random() >= _HOW_OFTEN or scenario.config.names == "lost":
        return
    config = scenario.config
    config.completed = chance.choice(["replaced", "appended", "underscored", "kept", "queried"])
    config.longest_name = chance.choice([190, 100, 60])
    for product, gallery in scenario.galleries.items():
        for image in gallery:
            image["label"] = _renamed(scenario.seed, product, image["label"])
    signed = chance.random() < 0.4
    last = scenario.nights[-1]
    # By memory alone are known a name that has last night's signature in it, and what the store makes of a field.
    by_memory = (signed and config.completed == "queried") or keeps_own_values(scenario)
    forgets = chance.random() < 0.5 and not by_memory
    scenario.nights.append(replace(last, dooms=[], deeds=[], vandals=[], forgets=forgets))
    for number, night in enumerate(scenario.nights):
        night.rows = [_row(scenario.seed, row, number if signed else None) for row in night.rows]
        # The only newcomer may rightly be taken for a create whose name says nothing.
        night.deeds = [replace(deed, kind="retitle") if deed.kind == "add" else deed for deed in night.deeds]


def keeps_own_values(scenario: Scenario) -> bool:
    """Return True if the store makes something of its own of a field, or hides for longer than a settle what it was told."""
    config = scenario.config
    own = config.descriptions != "kept" or config.description_length or config.orders != "kept"
    return bool(own) or config.list_lag > scenario.settings["settle"]


def _row(seed: int, row: Row, night: int | None) -> Row:
    images = [
        {**image, "image_file": _source(seed, row["product_id"], image["image_file"], night)} for image in row["images"]
    ]
    return {**row, "images": images}


def _source(seed: int, product: int, image_file: str, night: int | None) -> str:
    folder, _, name = image_file.rpartition("/")
    if not image_file.startswith("https://") or not name.endswith(".jpg"):
        return image_file
    renamed = f"{folder}/{_renamed(seed, product, name)}"
    return renamed if night is None or "?" in renamed else f"{renamed}{SIGNED}{night:032x}"


def _renamed(seed: int, product: int, name: str) -> str:
    """The name that a picture has in this story; whoever draws it anew gets the same. One of a product says nothing at all."""
    chance = Random(f"imageferry {seed} source name {product} {name}")
    if name == f"new-{product}-0.jpg" and chance.random() < 0.5:
        return "media?id=7"
    if chance.random() < 0.35:
        return name
    return name.removesuffix(".jpg") + chance.choice(_ENDINGS)


def quiet(case: Evidence) -> Iterator[tuple[int, str, str]]:
    """A quiet night after a quiet one with the same manifest sends no write, whatever the store made of the names."""
    for number in range(1, len(case.nights)):
        former, night = case.nights[number - 1], case.nights[number]
        same = _unsigned(former.rows) == _unsigned(night.rows) and former.mode == night.mode
        if not same or any(_is_noisy(each) for each in (former, night)) or case.last_start(number - 1).ending != "done":
            continue
        for call in case.writes:
            if call.night == number:
                yield (
                    call.product,
                    "",
                    f"call {call.number} ({call.method} {call.path}) in a night in which nothing changed",
                )


def _is_noisy(night: Night) -> bool:
    return bool(night.noisy or night.deeds or night.vandals)


def _unsigned(rows: list[Row]) -> list[Any]:
    return [
        (
            row["product_id"],
            [{**image, "image_file": image["image_file"].partition(SIGNED)[0]} for image in row["images"]],
        )
        for row in rows
    ]
