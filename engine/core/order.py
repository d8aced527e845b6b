"""Which sort orders to write so that a gallery ends in the order asked for, the store's own renumbering reckoned with.

The rule of the documentation (store-api.md 1.6): on an update to a lower priority, siblings whose `sort_order` is at
or above the new value are moved up by one. Whether a PUT that lowers the number does it too, whether a POST does, or
whether nothing moves at all, is unknown; each is a reading, and a store that was seen to differ is believed.

Writing from the lowest place upwards is right under every reading: what is written later moves only what lies above.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SMALL = 7
"""Managed images up to which every choice of those that stay is tried: 128 of them at most."""
_NEWEST = 1 << 62
_BELOW_ALL = 1 << 63


class Renumbering(Enum):
    """What a PUT of `sort_order` does to the siblings at or above the new value."""

    NONE = "none"
    RAISED = "raised"
    ALWAYS = "always"


@dataclass(slots=True, frozen=True)
class Reading:
    """What the store is taken to do: `put` on updates; `post`, whether a create moves siblings (None: never seen)."""

    put: Renumbering = Renumbering.RAISED
    post: bool | None = None


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


def put(orders: dict[int, int], image_id: int, value: int, reading: Renumbering) -> None:
    """What the store makes of a PUT, under a reading; `orders` is changed in place."""
    moves = reading is Renumbering.ALWAYS or (reading is Renumbering.RAISED and value > orders[image_id])
    if moves:
        _make_room(orders, value)
    orders[image_id] = value


def arrange(places: Sequence[Place], orders: dict[int, int], reading: Reading) -> Arrangement:
    """The fewest writes we know of after which the managed images stand as asked.

    `orders` has the sort order of every image present, managed or not: the store's renumbering moves them all.
    """
    if reading.post:
        return _arrange_after_creates(places, orders, reading.put)
    if not has_ties(places):
        return _arrange_values(places, orders, reading.put)
    return _arrange_ties(places, orders, reading.put)


def _make_room(orders: dict[int, int], value: int) -> None:
    for sibling, present in orders.items():
        if present >= value:
            orders[sibling] = present + 1


def _arrange_values(places: Sequence[Place], orders: dict[int, int], reading: Renumbering) -> Arrangement:
    arrangement = Arrangement()
    now = dict(orders)
    shifts: list[int] = []
    for place in in_order(places):
        if place.image_id is None or now[place.image_id] == place.asked:
            continue
        if reading is Renumbering.ALWAYS or (reading is Renumbering.RAISED and place.asked > now[place.image_id]):
            shifts.append(place.asked)
        put(now, place.image_id, place.asked, reading)
        arrangement.puts.append((place.image_id, place.asked))
    for place in places:
        if place.image_id is None:
            arrangement.creates[place.row] = before_shifts(place.asked, shifts)
    return arrangement


def before_shifts(value: int, shifts: Sequence[int]) -> int:
    """What to create an image with so that it stands at `value` once PUTs at `shifts` have moved their siblings."""
    for shift in reversed(shifts):
        if value > shift:
            value -= 1
    return value


def _arrange_ties(places: Sequence[Place], orders: dict[int, int], reading: Renumbering) -> Arrangement:
    """Only the order counts: the longest run that may stay stays, the others are put into the gaps."""
    row = in_order(places)
    as_asked = {place.row: place.asked for place in row if place.image_id is None}
    if _rises([(orders.get(place.image_id or 0, place.asked), place.image_id or _NEWEST) for place in row]):
        return Arrangement(creates=as_asked)
    return min(
        (
            _fill_gaps(row, staying, orders, reading, tight=tight)
            for tight in (False, True)
            for staying in _stayings(row, orders)
        ),
        key=lambda arrangement: len(arrangement.puts),
    )


def _stayings(row: list[Place], orders: dict[int, int]) -> Iterator[set[int]]:
    """Which images to leave in place: the longest run that rises; in a small gallery every choice is tried.

    The longest run alone may leave no room for those that must go between.
    """
    there = [place.image_id for place in row if place.image_id is not None]
    yield longest_run(there, orders)
    if len(there) <= SMALL:
        for count in range(len(there), -1, -1):
            yield from map(set, combinations(there, count))


def _fill_gaps(
    row: list[Place], staying: set[int], orders: dict[int, int], reading: Renumbering, *, tight: bool
) -> Arrangement:
    """Give every image that does not stay a place above the one before it; `tight`: the lowest, else as asked if it fits."""
    arrangement = Arrangement()
    now = dict(orders)
    shifts: list[int] = []
    floor = (_lowest_allowed(row, orders) - 1, _BELOW_ALL)
    for index, place in enumerate(row):
        image_id = place.image_id
        if image_id in staying and image_id is not None and (now[image_id], image_id) > floor:
            floor = (now[image_id], image_id)
            continue
        ceiling = next((now[later.image_id] for later in row[index + 1 :] if later.image_id in staying), None)
        # A tie can be made where nothing moves: by a create beside one that stays, by a PUT that lowers.
        lowers = reading is Renumbering.RAISED and image_id is not None and floor[0] < now[image_id]
        ties = reading is Renumbering.NONE or lowers or (image_id is None and floor[0] not in shifts)
        value = _fit(place, floor, ceiling, ties=ties, tight=tight)
        if image_id is None:
            arrangement.creates[place.row] = value
        elif now[image_id] != value:
            if reading is Renumbering.ALWAYS or (reading is Renumbering.RAISED and value > now[image_id]):
                shifts.append(value)
            put(now, image_id, value, reading)
            arrangement.puts.append((image_id, value))
        floor = (value, image_id or _NEWEST)
    arrangement.creates = {r: before_shifts(value, shifts) for r, value in arrangement.creates.items()}
    return arrangement


def _fit(place: Place, floor: tuple[int, int], ceiling: int | None, *, ties: bool, tight: bool) -> int:
    """A value above the floor: the one asked for where it fits below the ceiling, else the lowest that will do."""
    image_id = place.image_id or _NEWEST
    lowest = floor[0] if ties and image_id >= floor[1] else floor[0] + 1
    if not tight and place.asked >= lowest and (ceiling is None or place.asked < ceiling):
        return place.asked
    return lowest


def _lowest_allowed(row: list[Place], orders: dict[int, int]) -> int:
    """Nothing below zero is written unless manifest or store went there first (store-api.md 1.1 doubts it)."""
    return min(0, *(place.asked for place in row), *orders.values()) if orders else min(0, *(p.asked for p in row))


def _rises(ranks: list[tuple[int, int]]) -> bool:
    return all(left < right or (left == right and left[1] == _NEWEST) for left, right in itertools.pairwise(ranks))


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


def _arrange_after_creates(places: Sequence[Place], orders: dict[int, int], reading: Renumbering) -> Arrangement:
    """The store moves siblings on POST too: creates carry what is asked, and what they moved is put right after them."""
    now = dict(orders)
    made: dict[int, int] = {}
    for number, place in enumerate(in_order(places)):
        if place.image_id is None:
            _make_room(now, place.asked)
            made[place.row] = _NEWEST + number
            now[made[place.row]] = place.asked
    standing = [replace(place, image_id=place.image_id or made[place.row]) for place in places]
    solve = _arrange_ties if has_ties(places) else _arrange_values
    arrangement = solve(standing, now, reading)
    puts = [(image_id, value) for image_id, value in arrangement.puts if image_id < _NEWEST]
    return Arrangement({place.row: place.asked for place in places if place.image_id is None}, puts)
