"""The fewest writes after which a gallery stands as asked, those reckoned in that are written for other reasons anyway.

An image that is put in at a value and moves its siblings (a raise, any PUT or a POST, by the reading) makes room: once
all such values are taken in ascending order, an image that stood at `s` above them all stands at `s` plus their count.
That count alone carries a gallery from one place to the next, so a walk upwards that keeps the best way to each count
finds the fewest writes. It makes no difference that all creates are sent before the first PUT: `before_shifts` gives
what they have to carry, and a create above a place never moves an image that is put there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .arrange_ties import EXTRA, arrange_order
from .renumbering import Renumbering, RenumberingModel, before_shifts
from .sort_order import Arrangement, Place, has_ties, in_order

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


class _Path(NamedTuple):
    """How a gallery was built so far: what it cost, its last PUT (whether that made room), and the way up to it."""

    cost: int = 0
    put: tuple[int, int] | None = None
    shifting: bool = False
    former: _Path | None = None


def arrange(
    places: Sequence[Place], orders: dict[int, int], reading: RenumberingModel, written: Collection[int] = ()
) -> Arrangement:
    """The fewest PUTs after which the managed images stand as asked, and what the creates have to carry for it.

    `orders` has the sort order of every image present, managed or not: the store's renumbering moves them all.
    `written` are the images that are PUT for another field anyway. The creates are sent in ascending order of what they
    carry, of equals the one asked for first; then the PUTs in the order given.
    """
    row = in_order(places)
    return (
        arrange_order(row, orders, reading, written)
        if has_ties(row)
        else _arrange_values(row, orders, reading, written)
    )


def _arrange_values(
    row: list[Place], orders: dict[int, int], reading: RenumberingModel, written: Collection[int]
) -> Arrangement:
    """Each image has a value of its own to stand at; `best` is the cheapest way to each room made so far."""
    best: dict[int, _Path] = {0: _Path()}
    for place in row:
        following: dict[int, _Path] = {}
        for room, so_far in best.items():
            for then, longer in _longer(so_far, room, place, orders, reading, written):
                if then not in following or longer.cost < following[then].cost:
                    following[then] = longer
        best = following
    way: _Path | None = min(best.values(), key=lambda each: each.cost)
    arrangement = Arrangement()
    shifts: list[int] = []
    while way is not None and way.put is not None:
        arrangement.puts.append(way.put)
        shifts += [way.put[1]] * way.shifting
        way = way.former
    arrangement.puts.reverse()
    shifts.reverse()
    arrangement.creates = {p.row: before_shifts(p.asked, shifts) for p in row if p.image_id is None}
    return arrangement


def _longer(
    way: _Path, room: int, place: Place, orders: dict[int, int], reading: RenumberingModel, written: Collection[int]
) -> Iterator[tuple[int, _Path]]:
    """How one image more can come to stand at the value asked for: the room made then, and the way."""
    image_id = place.image_id
    if image_id is None:
        yield room + bool(reading.on_create), way
        return
    short = place.asked - room - orders[image_id]
    if short == 0:
        yield room, way
    # Writing an image where it stands makes room above it, and costs nothing where it is written anyway.
    if short != 0 or (reading.on_update is Renumbering.ALWAYS and image_id in written):
        shifting = reading.on_update is Renumbering.ALWAYS or (reading.on_update is Renumbering.RAISED and short > 0)
        cost = way.cost + (1 if image_id in written else EXTRA)
        yield room + shifting, _Path(cost, (image_id, place.asked), shifting, way)
