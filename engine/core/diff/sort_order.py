"""Sort orders: what is asked, whether it is met, and what the store makes of a write by its own renumbering.

The rule of the documentation (store-api.md 1.6): on an update to a lower priority, siblings whose `sort_order` is at
or above the new value are moved up by one. Whether a PUT that lowers the number does it too, whether a POST does, or
whether nothing moves at all, is unknown; each is a reading, and a store that was seen to differ is believed.

Writing from the lowest place upwards is right under every reading: what is written later moves only what lies above.
Which writes those are, `moves` and `levels` find out.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(slots=True)
class Place:
    """An image whose sort order is managed: the one in the store, or None for the one still to be created."""

    asked: int
    image_id: int | None
    row: int


@dataclass(slots=True)
class Arrangement:
    """`creates`: what each row's POST shall carry. `puts`: image id and value, to be sent in this order."""

    creates: dict[int, int] = field(default_factory=dict)
    puts: list[tuple[int, int]] = field(default_factory=list)


def has_ties(places: Iterable[Place]) -> bool:
    """Whether two managed images ask for one sort order; then their order alone counts (contract, Manifest)."""
    asked = [place.asked for place in places]
    return len(set(asked)) < len(asked)


def in_order(places: Iterable[Place]) -> list[Place]:
    """The managed images as the manifest orders them: by sort order asked, then by row."""
    return sorted(places, key=lambda place: (place.asked, place.row))


def is_met(places: Sequence[Place], orders: dict[int, int]) -> bool:
    """Whether the images, all of them present, stand as asked: each value, or the order alone where there are ties."""
    if not has_ties(places):
        return all(place.image_id is not None and orders[place.image_id] == place.asked for place in places)
    ranks = [(orders[place.image_id], place.image_id) for place in in_order(places) if place.image_id is not None]
    return len(ranks) == len(places) and ranks == sorted(ranks)


def longest_run(row: Sequence[int], orders: dict[int, int]) -> set[int]:
    """The ids of a longest subsequence of `row` whose (sort order, id) already rises."""
    tails: list[tuple[int, int]] = []
    at: list[int] = []
    came_from: list[int | None] = []
    ranks = [(orders[image_id], image_id) for image_id in row]
    for index, rank in enumerate(ranks):
        length = bisect_left(tails, rank)
        came_from.append(at[length - 1] if length else None)
        tails[length : length + 1] = [rank]
        at[length : length + 1] = [index]
    run: set[int] = set()
    index_now = at[-1] if at else None
    while index_now is not None:
        run.add(row[index_now])
        index_now = came_from[index_now]
    return run
