"""The fewest writes that bring a product's images into the wanted sort order.

Images that are written for another reason cost nothing extra. An image inserted at a value (a raise, any PUT or a POST,
by the model) moves its siblings there and above up by one: it makes room. If the values are taken in ascending order,
an image at `s` above them all ends at `s` plus their number. That number is the whole state of the search, so walking
upwards with the cheapest path to each number finds the fewest writes. Creates are sent before the first PUT;
`before_shifts` returns the values they must carry. A create above a value never moves an image at that value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .arrange_ties import EXTRA, arrange_order
from .renumbering import Renumbering, RenumberingModel, before_shifts
from .sort_order import Arrangement, Place, has_ties, in_order

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


class _Path(NamedTuple):
    """The cheapest way to a state.

    Its cost, its last PUT, and the path before it.

    `shifting` is true if that PUT made room.
    """

    cost: int = 0
    put: tuple[int, int] | None = None
    shifting: bool = False
    previous: _Path | None = None


def arrange(
    places: Sequence[Place], orders: dict[int, int], model: RenumberingModel, written: Collection[int] = ()
) -> Arrangement:
    """Return the fewest PUTs that place the managed images, and each create's sort order.

    `orders` has the sort order of every stored image, managed or not, because the store renumbers all of them. `written`
    has the images that are PUT for another field. Creates are sent in ascending order of the value they carry, equal ones
    by the value wanted; then the PUTs in the order returned.
    """
    row = in_order(places)
    return arrange_order(row, orders, model, written) if has_ties(row) else _arrange_values(row, orders, model, written)


def _arrange_values(
    row: list[Place], orders: dict[int, int], model: RenumberingModel, written: Collection[int]
) -> Arrangement:
    """Place images whose wanted sort orders are all different.

    `best` has the cheapest path for each number of shifts so far.
    """
    best: dict[int, _Path] = {0: _Path()}
    for place in row:
        following: dict[int, _Path] = {}
        for room, so_far in best.items():
            for then, longer in _longer(so_far, room, place, orders, model, written):
                if then not in following or longer.cost < following[then].cost:
                    following[then] = longer
        best = following
    path: _Path | None = min(best.values(), key=lambda each: each.cost)
    arrangement = Arrangement()
    shifts: list[int] = []
    while path is not None and path.put is not None:
        arrangement.puts.append(path.put)
        shifts += [path.put[1]] * path.shifting
        path = path.previous
    arrangement.puts.reverse()
    shifts.reverse()
    arrangement.creates = {p.row: before_shifts(p.asked, shifts) for p in row if p.image_id is None}
    return arrangement


def _longer(
    path: _Path, room: int, place: Place, orders: dict[int, int], model: RenumberingModel, written: Collection[int]
) -> Iterator[tuple[int, _Path]]:
    """Yield each way to place one more image.

    The shifts after it, and the path.
    """
    image_id = place.image_id
    if image_id is None:
        yield room + bool(model.on_create), path
        return
    short = place.asked - room - orders[image_id]
    if short == 0:
        yield room, path
    # A write at the present value makes room above it, and is free for an image that is written for another field.
    if short != 0 or (model.on_update is Renumbering.ALWAYS and image_id in written):
        shifting = model.on_update is Renumbering.ALWAYS or (model.on_update is Renumbering.RAISED and short > 0)
        cost = path.cost + (1 if image_id in written else EXTRA)
        yield room + shifting, _Path(cost, (image_id, place.asked), shifting, path)
