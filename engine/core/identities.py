"""What a store makes of a field that it is sent: trimmed, cut or escaped texts, sort orders of its own. Pure.

The answer to a POST or PUT shows it. It is remembered with the image, the asked value beside the kept one, so that the
same is not sent night after night; where either has changed since, by a person's hand, the field is compared anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .masking import masked
from .model import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .model import StoredImage

OwnValues = dict[str, tuple[Any, Any]]
"""Field -> (the value asked for, the value that the store keeps instead)."""
KnownImage = tuple[int, str | None] | tuple[int, str | None, OwnValues]
"""One remembered image: its id, the version of its bytes and, where there is any, what the store made of its fields."""
IdentityMap = dict[str, KnownImage]
"""What the ledger knows of one product: source -> image; of a replaced image, GONE and its id."""

FIELDS = ("description", "sort_order", "is_thumbnail")


def own_values_of(known: KnownImage | None) -> OwnValues:
    """What the store was seen to make of an image's fields."""
    return known[2] if known is not None and len(known) > 2 else {}


def known_image(image_id: int, version: str | None, kept: OwnValues) -> KnownImage:
    """An image as it is remembered; the third part is there only where it says something, as older readers know two."""
    return (image_id, version, kept) if kept else (image_id, version)


def read_known_image(row: Any) -> KnownImage:
    """A remembered image back from its JSON.

    Raises KeyError, TypeError, IndexError or AttributeError where it has not the shape of one.
    """
    image_id, version = row[0], row[1]
    if len(row) < 3:
        return (image_id, version)
    return known_image(image_id, version, {name: (pair[0], pair[1]) for name, pair in row[2].items() if name in FIELDS})


def other_values(fields: Mapping[str, Any], answered: StoredImage) -> OwnValues:
    """The fields that a store answered with another value than it was sent."""
    return {name: (value, now) for name, value in fields.items() if (now := getattr(answered, name)) != value}


def that_hold(image: Wanted, there: StoredImage, kept: OwnValues) -> OwnValues:
    """What still is so: the manifest asks for the same value, and the store shows what it made of it."""
    return {
        name: pair for name, pair in kept.items() if (getattr(image, name), getattr(there, name)) == (pair[0], pair[1])
    }


def as_wanted(image: Wanted, own: OwnValues, former: OwnValues, written: Iterable[str]) -> OwnValues:
    """What to remember of an image: the store's `own` values of what was sent, told by what the manifest asks for.

    What is sent for a sort order may differ from what is asked for, where siblings will move it or their order alone counts:
    then the kept value may even be the one asked for, and yet the image can't be put in its place.
    """
    kept = {name: pair for name, pair in former.items() if name not in written}
    for name, (sent, now) in own.items():
        asked = getattr(image, name)
        if asked is not None and sent != now:
            kept[name] = (asked, now)
    return kept


def without(image: Wanted, names: Iterable[str]) -> Wanted:
    """The image with nothing asked of these fields."""
    fields = {name: getattr(image, name) for name in FIELDS if name not in set(names)}
    return Wanted(image.image_file, **fields, version=image.version, line=image.line)


def shown_now(own: OwnValues, there: StoredImage | None) -> OwnValues:
    """A store's own values as a look shows them: an order of its own may have moved since with its siblings."""
    if there is None or "sort_order" not in own:
        return own
    sent = own["sort_order"][0]
    return own | {"sort_order": (sent, there.sort_order)}


def own_value(name: str, asked: Any, kept: Any) -> str:
    """One such field told to a person."""
    if asked == kept:
        return (
            f"the store keeps {short(kept)} as {name} and takes no other, so that the image is not in the place that is asked for "
            "among its equals; it is not sent again. Move it in the store"
        )
    return (
        f"the store keeps {short(kept)} as {name} where {short(asked)} was sent; it is not sent again. "
        "Ask for the kept value in the manifest, or mend it in the store"
    )


def short(value: object) -> str:
    """A value as a reason quotes it."""
    text = masked(repr(value))
    return text if len(text) <= 60 else text[:57] + "..."
