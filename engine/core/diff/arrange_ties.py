"""The fewest writes if equal sort orders are wanted.

Only the order by (sort order, id) counts.

The images are placed upwards, level by level. A level is a number at which managed images stand, in ascending order of
id. Inserting an image at a level (a raise, any PUT or a POST, by the model) moves all images there and above up by one.
So at most one image is inserted at a level, and beside it stand only images that are written there later without moving
any. An image that stays at `s` stands above the last level if `s` is greater than its `ground`: the level's number minus
the shifts so far. A lower ground is never worse for what follows.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from .renumbering import Renumbering, RenumberingModel, before_shifts, make_room, put
from .sort_order import Arrangement, Place, is_met

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

WIDE = 64
"""Number of nodes kept per image; more cannot matter with the number of images that a product holds."""
EXTRA = 1 << 20
"""Cost of a PUT for the order alone; a sort order in another PUT costs 1."""
_NEWEST = 1 << 62


class _LevelKind(IntEnum):
    """The images that may still be placed at a level.

    Each kind allows those of the one before it.
    """

    SHUT = 0
    """An image was inserted: only images written later without moving any."""
    OPEN = 1
    """Also images that already stand there, and creates on a store that moves nothing on create."""
    FREE = 2
    """Only images written without moving any: one more may be inserted before them."""


class _Placement(IntEnum):
    STAY = 0
    DOWN = 1
    IN = 2


class _Node(NamedTuple):
    """One placed image.

    Cost so far, the level's ground, kind and highest id.
    """

    cost: int
    ground: int
    kind: _LevelKind
    last: int
    placement: _Placement
    joins: bool
    previous: _Node | None


@dataclass(slots=True)
class _Level:
    images: list[tuple[Place, _Placement]] = field(default_factory=list)

    @property
    def makes_room(self) -> bool:
        return any(placement is _Placement.IN for _, placement in self.images)

    def stands(self, orders: dict[int, int]) -> int | None:
        """Return the sort order of the images that stay at this level.

        None without any.
        """
        return next(
            (orders[p.image_id] for p, d in self.images if d is _Placement.STAY and p.image_id is not None), None
        )


def arrange_order(
    row: list[Place], orders: dict[int, int], model: RenumberingModel, written: Collection[int]
) -> Arrangement:
    """Return the fewest PUTs that bring the images into the order of `row`; see `arrange`."""
    if not model.on_create and _rises([(orders.get(p.image_id or 0, p.asked), p.image_id or _NEWEST) for p in row]):
        return Arrangement({place.row: place.asked for place in row if place.image_id is None})
    # Negative values only if manifest or store has one: the store may refuse them (store-api.md 1.1).
    lowest = min(0, *(place.asked for place in row), *orders.values())
    nodes = [_Node(0, lowest - 1, _LevelKind.SHUT, _NEWEST, _Placement.STAY, False, None)]
    for place in row:
        nodes = _worth_following(
            [after for node in nodes for after in _placements(node, place, orders, model, written)]
        )
    levels = _levels(row, nodes[0])
    as_wanted = _to_arrangement(levels, lowest, orders, as_wanted=True)
    if _is_right(row, as_wanted, orders, model):
        return as_wanted
    return _to_arrangement(levels, lowest, orders, as_wanted=False)


def _rises(ranks: list[tuple[int, int]]) -> bool:
    return all(left < right or (left == right and left[1] == _NEWEST) for left, right in itertools.pairwise(ranks))


def _placements(
    node: _Node, place: Place, orders: dict[int, int], model: RenumberingModel, written: Collection[int]
) -> Iterator[_Node]:
    """Yield each way to place the next image above those placed."""
    cost, ground, kind, last, *_ = node
    image_id = place.image_id
    if image_id is None:
        yield _made(node, moves=bool(model.on_create))
        return
    stands = orders[image_id]
    if stands > ground:
        yield _Node(cost, stands, _LevelKind.OPEN, image_id, _Placement.STAY, False, node)
    elif stands == ground and kind is not _LevelKind.SHUT and image_id > last:
        yield _Node(cost, stands, _LevelKind.OPEN, image_id, _Placement.STAY, True, node)
    cost += 1 if image_id in written else EXTRA
    silent, raised = model.on_update is Renumbering.NONE, model.on_update is Renumbering.RAISED
    reaches = stands > ground or (stands == ground and kind is not _LevelKind.SHUT)
    if (silent or (raised and reaches)) and image_id > last:
        yield _Node(cost, ground, kind, image_id, _Placement.DOWN, True, node)
    elif silent or (raised and stands > ground):
        yield _Node(cost, ground + 1, _LevelKind.FREE, image_id, _Placement.DOWN, False, node)
    elif kind is _LevelKind.FREE and image_id > last:
        yield _Node(cost, ground - 1, _LevelKind.SHUT, image_id, _Placement.IN, True, node)
    else:
        yield _Node(cost, ground, _LevelKind.SHUT, image_id if raised else _NEWEST, _Placement.IN, False, node)


def _made(node: _Node, *, moves: bool) -> _Node:
    """Return the placement of a create.

    The highest id, hence last at its level.
    """
    cost, ground, kind, *_ = node
    if not moves:
        joins = kind is not _LevelKind.SHUT
        return _Node(cost, ground if joins else ground + 1, _LevelKind.OPEN, _NEWEST, _Placement.DOWN, joins, node)
    joins = kind is _LevelKind.FREE
    return _Node(cost, ground - 1 if joins else ground, _LevelKind.SHUT, _NEWEST, _Placement.IN, joins, node)


def _worth_following(nodes: list[_Node]) -> list[_Node]:
    """Return the nodes that no other node dominates, cheapest first."""
    nodes.sort(key=lambda node: (node.cost, node.ground, -node.kind, node.last))
    kept: list[_Node] = []
    for node in nodes:
        if not kept or node.ground < kept[-1].ground or not any(_is_as_good(other, node) for other in reversed(kept)):
            kept.append(node)
    return kept[:WIDE]


def _is_as_good(other: _Node, node: _Node) -> bool:
    """Return True if the cheaper node leaves at least the choices of the other one.

    It has a lower ground, or the same ground with as much choice at its level.
    """
    return other.ground < node.ground or (
        other.ground == node.ground and other.kind >= node.kind and other.last <= node.last
    )


def _levels(row: list[Place], node: _Node) -> list[_Level]:
    nodes: list[_Node] = []
    while node.previous is not None:
        nodes.append(node)
        node = node.previous
    levels: list[_Level] = []
    for place, done in zip(row, reversed(nodes), strict=True):
        if not done.joins:
            levels.append(_Level())
        levels[-1].images.append((place, done.placement))
    return levels


def _to_arrangement(levels: Sequence[_Level], lowest: int, orders: dict[int, int], *, as_wanted: bool) -> Arrangement:
    """Return the writes for the levels from the lowest upwards.

    Each level gets the lowest possible value, or with `as_wanted` the wanted one where it fits.
    """
    arrangement = Arrangement()
    numbers = _numbers(levels, lowest, orders, as_wanted=as_wanted)
    shifts: list[int] = []
    for level, number in zip(levels, numbers, strict=True):
        for place, placement in sorted(
            level.images, key=lambda each: -each[1]
        ):  # an insertion moves the others, so it comes first
            if placement is _Placement.STAY:
                continue
            if place.image_id is None:
                arrangement.creates[place.row] = number
                continue
            arrangement.puts.append((place.image_id, number))
            if placement is _Placement.IN:
                shifts.append(number)
    arrangement.creates = {row: before_shifts(value, shifts) for row, value in arrangement.creates.items()}
    return arrangement


def _numbers(levels: Sequence[_Level], lowest: int, orders: dict[int, int], *, as_wanted: bool) -> list[int]:
    numbers: list[int] = []
    number, room = lowest - 1, 0
    stays = [level.stands(orders) for level in levels]
    ceiling: list[int | None] = []
    for stands in reversed(stays):
        ceiling.append(stands if stands is not None else ceiling[-1] if ceiling else None)
    for level, stands, above in zip(levels, stays, reversed(ceiling), strict=True):
        asked = level.images[0][0].asked
        if stands is not None:
            number = stands + room
        elif as_wanted and asked > number and (above is None or asked < above + room):
            number = asked
        else:
            number += 1
        numbers.append(number)
        room += level.makes_room
    return numbers


def _is_right(row: list[Place], arrangement: Arrangement, orders: dict[int, int], model: RenumberingModel) -> bool:
    """Return True if a store of this model ends in the order of `row`."""
    now = dict(orders)
    made = {}
    by_row = {place.row: place for place in row}
    sending = sorted(arrangement.creates.items(), key=lambda each: (each[1], by_row[each[0]].asked, each[0]))
    for image_id, (index, value) in enumerate(sending, _NEWEST):
        if model.on_create:
            make_room(now, value)
        now[image_id] = value
        made[index] = image_id
    for image_id, value in arrangement.puts:
        put(now, image_id, value, model.on_update)
    return is_met([Place(p.asked, p.image_id or made[p.row], p.row) for p in row], now)
