"""Known images of a product.

Which image each source is, and values the store changed. Pure.

A store may trim, cut or escape a text, or keep a sort order of its own. The response to a POST or PUT shows it. Both
values are remembered, so that the same value is not sent again on every run. If either has changed since, the field
is compared as usual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .masking import masked
from .model import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .model import StoredImage

OwnValues = dict[str, tuple[Any, Any]]
"""Field -> (wanted value, value that the store keeps instead)."""
KnownImage = tuple[int, str | None] | tuple[int, str | None, OwnValues]
"""A known image: its id, the version of its bytes and, if any, the fields that the store changed."""
IdentityMap = dict[str, KnownImage]
"""The known images of one product: source -> image. A replaced image has the source GONE + id."""

FIELDS = ("description", "sort_order", "is_thumbnail")


def own_values_of(known: KnownImage | None) -> OwnValues:
    """Return the fields of a known image that the store changed."""
    return known[2] if known is not None and len(known) > 2 else {}


def known_image(image_id: int, version: str | None, kept: OwnValues) -> KnownImage:
    """Return a known image; the third item is left out if empty.

    Older versions read two items only.
    """
    return (image_id, version, kept) if kept else (image_id, version)


def read_known_image(row: Any) -> KnownImage:
    """Return a known image from its JSON `row`.

    Raises KeyError, TypeError, IndexError or AttributeError if the row has another shape.
    """
    image_id, version = row[0], row[1]
    if len(row) < 3:
        return (image_id, version)
    return known_image(image_id, version, {name: (pair[0], pair[1]) for name, pair in row[2].items() if name in FIELDS})


def changed_by_store(fields: Mapping[str, Any], answered: StoredImage) -> OwnValues:
    """Return the sent fields whose value in the response is different."""
    return {name: (value, now) for name, value in fields.items() if (now := getattr(answered, name)) != value}


def still_valid(image: Wanted, there: StoredImage, kept: OwnValues) -> OwnValues:
    """Return the own values whose wanted and stored value are both unchanged."""
    return {
        name: pair for name, pair in kept.items() if (getattr(image, name), getattr(there, name)) == (pair[0], pair[1])
    }


def merge_own_values(image: Wanted, own: OwnValues, prior: OwnValues, written: Iterable[str]) -> OwnValues:
    """Return the own values to remember.

    Each wanted value with the stored one.

    `own` has the values sent and stored in this run, `prior` those known before, `written` the fields sent. The value sent
    for a sort order can differ from the wanted one, if siblings will move the image or only the order of equal values
    counts. The stored value can then equal the wanted one although the image is in another place.
    """
    kept = {name: pair for name, pair in prior.items() if name not in written}
    for name, (sent, now) in own.items():
        asked = getattr(image, name)
        if asked is not None and sent != now:
            kept[name] = (asked, now)
    return kept


def without_fields(image: Wanted, names: Iterable[str]) -> Wanted:
    """Return a copy of the image that does not manage the fields in `names`."""
    fields = {name: getattr(image, name) for name in FIELDS if name not in set(names)}
    return Wanted(image.image_file, **fields, version=image.version, line=image.line)


def with_listed_order(own: OwnValues, there: StoredImage | None) -> OwnValues:
    """Return the own values with the sort order that the last listing shows.

    The store may have moved it since, together with its siblings.
    """
    if there is None or "sort_order" not in own:
        return own
    sent = own["sort_order"][0]
    return own | {"sort_order": (sent, there.sort_order)}


def own_value_note(name: str, asked: Any, kept: Any) -> str:
    """Return the note for one field that the store keeps with another value."""
    if asked == kept:
        return (
            f"the store keeps {short(kept)} as {name} and accepts no other value, so the image is not at its place "
            "among equal values. It is not sent again. Move it in the store"
        )
    return (
        f"the store keeps {short(kept)} as {name} instead of {short(asked)}. It is not sent again. "
        "Put the kept value in the manifest, or change it in the store"
    )


def short(value: object) -> str:
    """Return a value as a message quotes it, at most 60 characters."""
    text = masked(repr(value))
    return text if len(text) <= 60 else text[:57] + "..."
