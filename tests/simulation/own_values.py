"""Stores that make something of their own of descriptions and sort orders, drawn from a seed, and what must hold in them.

Nothing is sent again that was answered, neither within a settle, nor more often than a product is mended, nor night after
night; and what is not as asked is named. Listings may lag behind for longer than a settle in these stories.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

from imageferry.core.reconcile.remaining import MAX_PASSES
from imageferry.jobs.sandbox.shop.rules import as_kept

from .judge import is_dead, label_of
from .troubles import Doom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imageferry.jobs.sandbox.config import Config

    from .draw import Scenario
    from .evidence import Evidence
    from .history import Sent
    from .manifests import Row

SHARE = 0.15
_MOST_STARTS = 12
_TEXTS = {"View 1": " View 1", "Zürich, front": "Zürich & its <lake>, front ", "side": "the side that faces the street"}
Found = tuple[int, str, str]


def draw_own_values(scenario: Scenario) -> None:
    """Give some stories such a store, texts and orders that it changes, and one more quiet night at the end."""
    chance = Random(f"imageferry {scenario.seed} own values")
    if chance.random() >= SHARE:
        return
    config = scenario.config
    way = chance.choice(["texts", "texts", "orders", "orders", "both", "neither"])
    if way in {"texts", "both"}:
        config.descriptions = chance.choice(["trimmed", "escaped", "kept"])
        config.description_length = chance.choice([0, 12]) if config.descriptions != "kept" else 12
    if way in {"orders", "both"}:
        config.orders = chance.choice(["not-negative", "compacted", "fixed"])
    if way == "neither" or chance.random() < 0.15:
        _lag_long(scenario, chance)
    lower = chance.choice([0, 2, 5])
    for night in scenario.nights:
        night.rows = [_changed(row, lower) for row in night.rows]
    last = scenario.nights[-1]
    scenario.nights.append(type(last)(last.mode, last.rows, noisy=False))


def _lag_long(scenario: Scenario, chance: Random) -> None:
    """Listings lag for longer than a settle.

    No answer is lost then, and no run begins before the listings show what the former one did: `--settle` says otherwise.
    """
    scenario.config.list_lag = scenario.settings["settle"] * chance.uniform(1.1, 4.0)
    for night in scenario.nights:
        night.faults, night.down = (), []
        night.dooms = [Doom(pause=scenario.config.list_lag + 5.0)] * _MOST_STARTS


def _changed(row: Row, lower: int) -> Row:
    images = [dict(image) for image in row["images"]]
    for image in images:
        if "description" in image:
            image["description"] = _TEXTS.get(image["description"], image["description"])
        if "sort_order" in image:
            image["sort_order"] -= lower
    return {**row, "images": images}


def changes_texts(config: Config) -> bool:
    """Return True if the store makes something of its own of descriptions."""
    return config.descriptions != "kept" or bool(config.description_length)


def is_own_text(config: Config, image: Row, text: str) -> bool:
    """Return True if a text is what the store makes of the one asked for."""
    return text == as_kept(image["description"], config)


def is_own_order(config: Config, row: Row) -> bool:
    """Return True if the store may make something of its own of the orders that are asked for."""
    negative = any(image.get("sort_order", 0) < 0 for image in row["images"])
    return config.orders not in {"kept", "not-negative"} or (config.orders == "not-negative" and negative)


def repeats(case: Evidence) -> Iterator[Found]:
    """A confirmed value is not sent again within the settle time, nor more often than it is repaired."""
    sent: dict[tuple[int, int, str, Any], list[Sent]] = {}
    for call in _answered_puts(case):
        for name, value in call.body.items():
            sent.setdefault((case.run_of(call.process), call.image, name, value), []).append(call)
    for (_, image, name, value), calls in sent.items():
        what = f"{name} {value!r} of image {image}"
        if len(calls) > MAX_PASSES + 1:
            yield calls[0].product, "", f"{what} was put {len(calls)} times in one run"
        for earlier, later in pairwise(calls):
            if later.at < earlier.told_at + case.settle - 0.001:
                yield later.product, "", f"{what} was put by call {earlier.number} and, within a settle, {later.number}"


def _answered_puts(case: Evidence) -> Iterator[Sent]:
    for call in case.writes:
        answered = call.verb == "update" and call.told == "answered" and call.usable and call.status < 300
        if answered and case.lost_at(call) is None:
            yield call


def quiet_nights(case: Evidence) -> Iterator[Found]:
    """A quiet night after one with the same manifest sends no write, but for pictures that could not be fetched.

    With a checkpoint is lost which of two twins was whose, and what the store made of a field: only what went well needs none of it.
    """
    for number in range(1, len(case.nights)):
        night, former = case.nights[number], case.nights[number - 1]
        end = case.last_start(number - 1)
        same = (night.mode, night.rows, night.noisy, former.noisy) == (former.mode, former.rows, False, False)
        if not same or former.deeds or end.ending not in {"done", "failed"} or case.late_writes(number - 1):
            continue
        if case.starts(number)[0].goes_on or end.report is None or end.report.unknown:
            continue
        if night.forgets and end.ending == "failed":
            continue
        for call in case.writes:
            row = case.row(night=number, product=call.product) if call.night == number else None
            if row is not None and not any(is_dead(image) for image in row["images"]):
                yield call.product, "", f"call {call.number} ({call.method} {call.path}) in a quiet night: {call.body}"


def naming(case: Evidence) -> Iterator[Found]:
    """A text that the store has changed is named in every night that ends: its image, its field, and no other image for it."""
    if not changes_texts(case.world.config) or case.names_lost:
        return
    for number, night in enumerate(case.nights):
        last = case.last_start(number)
        if night.noisy or last.report is None or last.ending not in {"done", "failed"}:
            continue
        said = Counter((f.product_id, _label(f.image_file)) for f in last.report.failures if f.field == "description")
        for row in night.rows:
            gallery = case.gallery(row["product_id"], last.ended)
            copies = Counter(each.label for each in gallery)
            shown = {each.label: each for each in gallery if copies[each.label] == 1}
            for image in row["images"]:
                there = shown.get(label_of(image))
                differs = there is not None and image.get("description", there.description) != there.description
                if there is not None and differs != bool(said[(row["product_id"], there.label)]):
                    text = f"night {number}: {there.label} has {there.description!r}, and is {'not ' * differs}named"
                    yield row["product_id"], there.label, text


def _label(source: str | None) -> str:
    return label_of({"image_file": source or ""})
