"""Sort orders: the wanted places, and the check that they are met.

By the documentation (store-api.md 1.6) an update to a lower priority moves siblings at or above the new value up by
one. Whether a PUT to a lower number or a POST does the same is not documented; `renumbering` has a model for each case.
Writing from the lowest value upwards is right under every model: a later write moves only images above it. `arrange`
and `arrange_ties` find the fewest writes.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(slots=True)
class Place:
    """An image with a managed sort order.

    `image_id` is None if it is still to be created.
    """

    asked: int
    image_id: int | None
    row: int


@dataclass(slots=True)
class Arrangement:
    """The sort order of each create by row, and the PUTs (image id, value) in sending order."""

    creates: dict[int, int] = field(default_factory=dict)
    puts: list[tuple[int, int]] = field(default_factory=list)


def has_ties(places: Iterable[Place]) -> bool:
    """Return True if two managed images want the same sort order.

    Then only their order counts (contract, Manifest).
    """
    asked = [place.asked for place in places]
    return len(set(asked)) < len(asked)


def in_order(places: Iterable[Place]) -> list[Place]:
    """Return the managed images by wanted sort order, then by row."""
    return sorted(places, key=lambda place: (place.asked, place.row))


def is_met(places: Sequence[Place], orders: dict[int, int]) -> bool:
    """Return True if all images exist and stand as wanted.

    Each at its value, or with ties in the wanted order.
    """
    if not has_ties(places):
        return all(place.image_id is not None and orders[place.image_id] == place.asked for place in places)
    ranks = [(orders[place.image_id], place.image_id) for place in in_order(places) if place.image_id is not None]
    return len(ranks) == len(places) and ranks == sorted(ranks)


def longest_run(row: Sequence[int], orders: dict[int, int]) -> set[int]:
    """Return the ids of a longest subsequence of `row` with rising (sort order, id)."""
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
