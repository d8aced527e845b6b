"""Renumbering of siblings on update and create.

The models, and inferring one from a listing.

The store's rule is unknown until it is observed (store-api.md 1.6). A round is its creates, then its updates. Each of
the six models (three for updates, two for creates) is tried on a whole round, because a shift by a create can look like
one by an update. Only what all matching models have in common is learned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Renumbering(Enum):
    """The effect of a PUT of `sort_order` on siblings at or above the new value."""

    NONE = "none"
    RAISED = "raised"
    ALWAYS = "always"


@dataclass(slots=True, frozen=True)
class RenumberingModel:
    """The assumed renumbering by the store on update and on create (None: not yet observed).

    `update_seen` is true if the rule for updates was observed, not only documented.
    """

    on_update: Renumbering = Renumbering.RAISED
    on_create: bool | None = None
    update_seen: bool = field(default=False, compare=False)


def put(orders: dict[int, int], image_id: int, value: int, rule: Renumbering) -> None:
    """Apply a PUT to `orders` in place, as a store of this renumbering does."""
    moves = rule is Renumbering.ALWAYS or (rule is Renumbering.RAISED and value > orders[image_id])
    if moves:
        make_room(orders, value)
    orders[image_id] = value


def make_room(orders: dict[int, int], value: int) -> None:
    """Move all images at or above `value` up by one, in place."""
    for sibling, present in orders.items():
        if present >= value:
            orders[sibling] = present + 1


def before_shifts(value: int, shifts: Sequence[int]) -> int:
    """Return the sort order of a create that ends at `value` after PUTs at `shifts`."""
    for shift in reversed(shifts):
        if value > shift:
            value -= 1
    return value


MODELS = tuple(RenumberingModel(renumbering, post) for renumbering in Renumbering for post in (False, True))


def predict(
    before: dict[int, int],
    creates: Sequence[tuple[int, int]],
    puts: Sequence[tuple[int, int]],
    model: RenumberingModel,
) -> dict[int, int]:
    """Return the sort orders after a round, as a store of this model renumbers.

    `creates` and `puts` are pairs of image id and sort order sent.
    """
    orders = dict(before)
    for image_id, value in creates:
        # A POST that moves siblings moves them like a PUT of model ALWAYS.
        put(orders, image_id, value, Renumbering.ALWAYS if model.on_create else Renumbering.NONE)
    for image_id, value in puts:
        if image_id in orders:
            put(orders, image_id, value, model.on_update)
    return orders


def infer(
    known: RenumberingModel,
    before: dict[int, int],
    creates: Sequence[tuple[int, int]],
    puts: Sequence[tuple[int, int]],
    after: dict[int, int],
) -> RenumberingModel:
    """Return the model `known`, corrected by what this round shows of PUT and POST.

    Images that are gone by now show nothing. If another writer's image has appeared, nothing is learned: the shift may be
    due to that one.
    """
    fitting = []
    for model in MODELS:
        expected = predict(before, creates, puts, model)
        if {**expected, **after} == expected:
            fitting.append(model)
    if not fitting and _is_numbered_anew(before, creates, puts, after):
        return RenumberingModel(
            Renumbering.ALWAYS if puts else known.on_update,
            True if creates else known.on_create,
            update_seen=known.update_seen or bool(puts),
        )
    posts = {model.on_create for model in fitting}
    post = posts.pop() if len(posts) == 1 else known.on_create
    renumberings = {model.on_update for model in fitting if post is None or model.on_create is post}
    if len(renumberings) == 1:
        return RenumberingModel(renumberings.pop(), post, update_seen=True)
    return RenumberingModel(known.on_update, post, update_seen=known.update_seen)


def _is_numbered_anew(
    before: dict[int, int], creates: Sequence[tuple[int, int]], puts: Sequence[tuple[int, int]], after: dict[int, int]
) -> bool:
    """Return True if the store renumbered the whole product without gaps or equal values."""
    first = min(after.values(), default=0)
    orders = dict(before)
    for image_id, value in (*creates, *puts):
        put(orders, image_id, value, Renumbering.ALWAYS)
        orders = _numbered(orders, first)
    return _numbered({image_id: order for image_id, order in orders.items() if image_id in after}, first) == after


def _numbered(orders: dict[int, int], first: int) -> dict[int, int]:
    """Return the images renumbered from `first` without gaps or equal values."""
    return {each: first + place for place, each in enumerate(sorted(orders, key=lambda each: (orders[each], each)))}
