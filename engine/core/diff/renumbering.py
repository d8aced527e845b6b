"""How a store renumbers siblings on update and create: the models, their arithmetic, and inferring one from a listing.

How a store renumbers is unknown until it is seen (store-api.md 1.6). A round is its creates, then its updates; each of the six
models (three of update, two of create) is tried on it as a whole, since what a create moved may look like what an update moved.
Only what all models that explain the listing have in common is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Renumbering(Enum):
    """What a PUT of `sort_order` does to the siblings at or above the new value."""

    NONE = "none"
    RAISED = "raised"
    ALWAYS = "always"


@dataclass(slots=True, frozen=True)
class RenumberingModel:
    """What the store is taken to do on an update, and whether a create moves siblings (None: never seen).

    `update_seen`: what it does on an update was seen, too, and is not only what the documentation says.
    """

    on_update: Renumbering = Renumbering.RAISED
    on_create: bool | None = None
    update_seen: bool = field(default=False, compare=False)


def put(orders: dict[int, int], image_id: int, value: int, reading: Renumbering) -> None:
    """What the store makes of a PUT, under a reading; `orders` is changed in place."""
    moves = reading is Renumbering.ALWAYS or (reading is Renumbering.RAISED and value > orders[image_id])
    if moves:
        make_room(orders, value)
    orders[image_id] = value


def make_room(orders: dict[int, int], value: int) -> None:
    """What an image that is put in at a value does to its siblings there and above, where the store moves them."""
    for sibling, present in orders.items():
        if present >= value:
            orders[sibling] = present + 1


def before_shifts(value: int, shifts: Sequence[int]) -> int:
    """What to create an image with so that it stands at `value` once PUTs at `shifts` have moved their siblings."""
    for shift in reversed(shifts):
        if value > shift:
            value -= 1
    return value


MODELS = tuple(RenumberingModel(renumbering, post) for renumbering in Renumbering for post in (False, True))


def predict(
    before: dict[int, int],
    creates: Sequence[tuple[int, int]],
    puts: Sequence[tuple[int, int]],
    reading: RenumberingModel,
) -> dict[int, int]:
    """What a round makes of a gallery's sort orders under a reading; creates and PUTs are image id and sort order sent."""
    orders = dict(before)
    for image_id, value in creates:
        # A POST that moves siblings moves them as a PUT does that always moves them.
        put(orders, image_id, value, Renumbering.ALWAYS if reading.on_create else Renumbering.NONE)
    for image_id, value in puts:
        if image_id in orders:
            put(orders, image_id, value, reading.on_update)
    return orders


def infer(
    known: RenumberingModel,
    before: dict[int, int],
    creates: Sequence[tuple[int, int]],
    puts: Sequence[tuple[int, int]],
    after: dict[int, int],
) -> RenumberingModel:
    """`known`, with what this round tells of PUT, of POST, or of both; images that are gone by now tell nothing.

    Where somebody else's image has appeared, nothing is learned: what moved may have made room for that one.
    """
    fitting = []
    for reading in MODELS:
        expected = predict(before, creates, puts, reading)
        if {**expected, **after} == expected:
            fitting.append(reading)
    if not fitting and _is_numbered_anew(before, creates, puts, after):
        return RenumberingModel(
            Renumbering.ALWAYS if puts else known.on_update,
            True if creates else known.on_create,
            update_seen=known.update_seen or bool(puts),
        )
    posts = {reading.on_create for reading in fitting}
    post = posts.pop() if len(posts) == 1 else known.on_create
    renumberings = {reading.on_update for reading in fitting if post is None or reading.on_create is post}
    if len(renumberings) == 1:
        return RenumberingModel(renumberings.pop(), post, update_seen=True)
    return RenumberingModel(known.on_update, post, update_seen=known.update_seen)


def _is_numbered_anew(
    before: dict[int, int], creates: Sequence[tuple[int, int]], puts: Sequence[tuple[int, int]], after: dict[int, int]
) -> bool:
    """Whether a round left a gallery without gaps or equals, each image put in before those at its number."""
    first = min(after.values(), default=0)
    orders = dict(before)
    for image_id, value in (*creates, *puts):
        put(orders, image_id, value, Renumbering.ALWAYS)
        orders = _numbered(orders, first)
    return _numbered({image_id: order for image_id, order in orders.items() if image_id in after}, first) == after


def _numbered(orders: dict[int, int], first: int) -> dict[int, int]:
    """The gallery with the numbers `first`, and on without gaps or equals."""
    return {each: first + place for place, each in enumerate(sorted(orders, key=lambda each: (orders[each], each)))}
