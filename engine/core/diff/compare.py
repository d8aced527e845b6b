"""Comparison of one product: wanted, stored and known images to changes. Pure.

A known image id decides first, if the store lists it (contract, Manifest; store-api.md 1.5); then the name decides
(`match`). Unmatched images are extra; only a run with `delete_extra` deletes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..identities import IdentityMap, OwnValues, own_values_of, still_valid, without_fields
from ..source_addresses import respelled
from .arrange import arrange
from .changes import Changes, Create, Difference, Update
from .match import is_outdated, match_images, update_identities
from .renumbering import RenumberingModel, make_room
from .sort_order import Arrangement, Place, has_ties, is_met

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..model import StoredImage, Wanted, WantedProduct

VERSION_NEEDS_SYNC = "its version is new, so its bytes must be replaced, and migrate never deletes; sync replaces it"


def compare(
    product: WantedProduct,
    present: list[StoredImage],
    identities: IdentityMap,
    *,
    delete_extra: bool,
    model: RenumberingModel,
    unmanaged: Sequence[StoredImage] = (),
    by_name: bool = True,
    skip: frozenset[int] = frozenset(),
) -> Difference:
    """Return the changes that make one product match the manifest.

    `delete_extra` (sync) also deletes extra images and replaces outdated ones. `unmanaged` images were added by others
    during the run: they are not matched, written or deleted, but the store renumbers them, too. Without `by_name` only
    known ids match. Rows in `skip` are not created and not arranged.
    """
    if not present and not unmanaged and not skip and (all_new := _all_new(product.images, model)) is not None:
        return all_new
    by_id = {image.image_id: image for image in present}
    if identities and by_name:
        identities = respelled(product.images, identities, by_id)
    matching = match_images(product.images, present, identities, by_name=by_name)
    matches = matching.matches
    outdated = [row for row, image_id in matches.items() if is_outdated(product.images[row], image_id, identities)]
    replaced = {row: matches.pop(row) for row in outdated} if delete_extra else {}
    orders = {image.image_id: image.sort_order for image in (*present, *unmanaged)}
    rows = [row for row in range(len(product.images)) if row in matches or row not in skip]
    own = _unchanged_own_values(product.images, rows, matches, by_id, identities, orders)
    images = product.images
    if own:
        images = [without_fields(each, own[row]) if row in own else each for row, each in enumerate(images)]
    changes = _changes(images, rows, matches, replaced, by_id, orders, model)
    if delete_extra:
        kept = set(matches.values())
        changes.deletes = [image.image_id for image in present if image.image_id not in kept]
        changes.recheck = changes.recheck or _loses_thumbnail(images, by_id, changes)
    # A store that keeps sort orders of its own may move others at any write.
    changes.recheck = changes.recheck or (bool(changes) and any("sort_order" in kept for kept in own.values()))
    known = update_identities(product.images, matches | replaced, identities, by_id)
    return Difference(changes, matches, known, outdated, matching.guessed, own)


def _all_new(images: list[Wanted], model: RenumberingModel) -> Difference | None:
    """Return the changes of an empty product: one create for each row.

    Only equal sort orders may need a recheck. None if the store is known to renumber equal ones on create: then creates
    have to carry other values.
    """
    orders = [image.sort_order for image in images if image.sort_order is not None]
    ties = len(set(orders)) < len(orders)
    if ties and model.on_create:
        return None
    creates = [Create(row, _create_fields(image, image.sort_order, None)) for row, image in enumerate(images)]
    if orders != sorted(orders):
        creates.sort(key=lambda create: _creation_rank(create, images, model))
    return Difference(Changes(creates, recheck=ties and model.on_create is None), {}, {}, [])


def _unchanged_own_values(
    images: list[Wanted],
    rows: list[int],
    matches: dict[int, int],
    by_id: dict[int, StoredImage],
    identities: IdentityMap,
    orders: dict[int, int],
) -> dict[int, OwnValues]:
    """Return, by row, the store's own values that are still as they were last seen."""
    own: dict[int, OwnValues] = {}
    for row, image_id in matches.items():
        known = identities.get(images[row].image_file)
        if known is not None and len(known) > 2 and known[0] == image_id:
            kept = still_valid(images[row], by_id[image_id], own_values_of(known))
            if kept:
                own[row] = kept
    if any("sort_order" in kept for kept in own.values()):
        places = [Place(order, matches.get(row), row) for row in rows if (order := images[row].sort_order) is not None]
        met, ties = is_met(places, orders), has_ties(places)
        for kept in own.values():
            # With ties only the place counts; without, an image at the wanted value is right.
            if "sort_order" in kept and (met or (kept["sort_order"][0] == kept["sort_order"][1] and not ties)):
                del kept["sort_order"]
    return {row: kept for row, kept in own.items() if kept}


def _changes(
    images: list[Wanted],
    rows: list[int],
    matches: dict[int, int],
    replaced: dict[int, int],
    by_id: dict[int, StoredImage],
    orders: dict[int, int],
    model: RenumberingModel,
) -> Changes:
    if model.on_create:
        _shift_for_replacements(images, replaced, orders)
    other_writes = _other_writes(images, rows, matches, by_id)
    arrangement = _arrangement(images, rows, matches, orders, model, other_writes)
    claimed = any(image.is_thumbnail for image in images)
    changes = Changes()
    for row in rows:
        if row not in matches:
            image = images[row]
            old = by_id[replaced[row]] if row in replaced else None
            fields = _create_fields(image, arrangement.creates.get(row), old, claimed=claimed)
            changes.creates.append(Create(row, fields, replaced.get(row)))
    changes.creates.sort(key=lambda create: _creation_rank(create, images, model))
    changes.updates = _updates(other_writes, by_id, arrangement)
    moved = any("sort_order" in u.fields or "is_thumbnail" in u.fields for u in changes.updates)
    changes.recheck = moved or (model.on_create is None and _may_renumber(changes, images, matches, by_id))
    return changes


def _shift_for_replacements(images: list[Wanted], replaced: dict[int, int], orders: dict[int, int]) -> None:
    """Apply to `orders` the shifts of replacements whose sort order is not managed.

    They are created first; needed only if a POST moves siblings.
    """
    for value in sorted((orders[old] for row, old in replaced.items() if images[row].sort_order is None), reverse=True):
        make_room(orders, value)


def _creation_rank(create: Create, images: list[Wanted], model: RenumberingModel) -> tuple[int, int, int, int]:
    """Return the sort key of creates.

    Ascending by the value sent, then by the value wanted.

    Of equal values the first one created gets the lower id. Replacements that keep the sort order of the old image come
    first, from the highest downwards: then none moves an image that a later one is placed beside.
    """
    value, asked = create.fields.get("sort_order", 0), images[create.row].sort_order
    if create.replaces is not None and asked is None:
        return (0, -value, -create.replaces if model.on_create else create.replaces, create.row)
    return (1, value, asked or 0, create.row)


def _arrangement(
    images: list[Wanted],
    rows: list[int],
    matches: dict[int, int],
    orders: dict[int, int],
    model: RenumberingModel,
    written: Collection[int],
) -> Arrangement:
    places = [Place(order, matches.get(row), row) for row in rows if (order := images[row].sort_order) is not None]
    if not places:
        return Arrangement()
    return Arrangement() if is_met(places, orders) else arrange(places, orders, model, written)


def _create_fields(
    image: Wanted, sort_order: int | None, old: StoredImage | None, *, claimed: bool = False
) -> dict[str, Any]:
    """Return the fields of a POST.

    A replacement keeps unmanaged fields of the old image.

    It does not keep the thumbnail if the manifest has `claimed` it for an image.
    """
    fields: dict[str, Any] = {}
    if image.description is not None or (old is not None and old.description):
        fields["description"] = image.description if image.description is not None or old is None else old.description
    if sort_order is not None:
        fields["sort_order"] = sort_order
    elif old is not None:
        fields["sort_order"] = old.sort_order
    if image.is_thumbnail is not None:
        fields["is_thumbnail"] = image.is_thumbnail
    elif old is not None:
        fields["is_thumbnail"] = old.is_thumbnail and not claimed
    return fields


def _other_writes(
    images: list[Wanted], rows: list[int], matches: dict[int, int], by_id: dict[int, StoredImage]
) -> dict[int, dict[str, Any]]:
    """Return the changed descriptions and thumbnails by image id."""
    writes: dict[int, dict[str, Any]] = {}
    takes_over = any(images[row].is_thumbnail and not _has_thumbnail(row, matches, by_id) for row in rows)
    for row, image_id in matches.items():
        image, present = images[row], by_id[image_id]
        fields: dict[str, Any] = {}
        if image.description is not None and image.description != present.description:
            fields["description"] = image.description
        # Setting another thumbnail clears this one (store-api.md 1.6); unset it only without a successor.
        if image.is_thumbnail not in (None, present.is_thumbnail) and (image.is_thumbnail or not takes_over):
            fields["is_thumbnail"] = image.is_thumbnail
        if fields:
            writes[image_id] = fields
    return writes


def _updates(
    other_writes: dict[int, dict[str, Any]], by_id: dict[int, StoredImage], arrangement: Arrangement
) -> list[Update]:
    writes: dict[int, dict[str, Any]] = {image_id: {"sort_order": value} for image_id, value in arrangement.puts}
    for image_id, fields in other_writes.items():
        writes.setdefault(image_id, {}).update(fields)
    ordered = [image_id for image_id, _ in arrangement.puts]
    others = sorted((i for i in writes if i not in set(ordered)), key=lambda i: (by_id[i].sort_order, i))
    return [_update(by_id[image_id], writes[image_id]) for image_id in _merge(ordered, others, writes, by_id)]


def _merge(
    ordered: list[int], others: list[int], writes: dict[int, dict[str, Any]], by_id: dict[int, StoredImage]
) -> list[int]:
    """Merge writes with a sort order, in their sequence, with the others.

    The others are placed by their present sort order.
    """
    merged = []
    waiting = iter(others)
    other = next(waiting, None)
    for image_id in ordered:
        while other is not None and by_id[other].sort_order <= writes[image_id]["sort_order"]:
            merged.append(other)
            other = next(waiting, None)
        merged.append(image_id)
    while other is not None:
        merged.append(other)
        other = next(waiting, None)
    return merged


def _update(present: StoredImage, fields: dict[str, Any]) -> Update:
    return Update(present.image_id, fields, {name: getattr(present, name) for name in fields})


def _has_thumbnail(row: int, matches: dict[int, int], by_id: dict[int, StoredImage]) -> bool:
    return row in matches and by_id[matches[row]].is_thumbnail


def _may_renumber(
    changes: Changes, images: list[Wanted], matches: dict[int, int], by_id: dict[int, StoredImage]
) -> bool:
    """Return True if a POST could move managed siblings on a store of unknown behaviour."""
    managed_orders = [by_id[i].sort_order for row, i in matches.items() if images[row].sort_order is not None]
    orders = sorted(create.fields["sort_order"] for create in changes.creates if "sort_order" in create.fields)
    collide = len(set(orders)) < len(orders)
    return bool(orders) and (collide or (bool(managed_orders) and orders[0] <= max(managed_orders)))


def _loses_thumbnail(images: list[Wanted], by_id: dict[int, StoredImage], changes: Changes) -> bool:
    """Return True if the thumbnail is deleted without a successor.

    The image that the store then promotes is not documented (store-api.md 1.6).
    """
    if not any(by_id[image_id].is_thumbnail for image_id in changes.deletes):
        return False
    if any(image.is_thumbnail for image in images):
        return False
    return any(image.is_thumbnail is False for image in images)
