"""Comparison of a product with its manifest row, by source. Shares no code with the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .manifests import DEAD

if TYPE_CHECKING:
    from .history import Shown
    from .manifests import Row


SIGNED = "?sig="
"""Separator of the signature in an address: it changes in each run and identifies nothing."""


def label_of(image: Row) -> str:
    """The file name that the shop is given for a manifest's image."""
    return str(image["image_file"]).partition(SIGNED)[0].rpartition("/")[2].removeprefix("import:")


def is_dead(image: Row) -> bool:
    """Return True if the shop can't fetch it."""
    return DEAD in image["image_file"]


def differences(row: Row, gallery: list[Shown], *, mirror: bool) -> list[tuple[str, str]]:
    """Return the differences from the manifest: (label, text).

    A gallery with an image that can't be fetched keeps its surplus and its order, and its thumbnail where that image was to be it.
    """
    wanted = [image for image in row["images"] if not is_dead(image)]
    failed = len(wanted) < len(row["images"])
    successor_failed = any(is_dead(image) and image.get("is_thumbnail") for image in row["images"])
    fields = ("description",) if successor_failed else ("description", "is_thumbnail")
    told = [d for image in wanted for d in _image(image, gallery, fields)]
    labels = [label_of(image) for image in row["images"]]
    if mirror and not failed:
        told += [(s.label, f"{s.label} (image {s.image_id}) is surplus") for s in gallery if s.label not in labels]
        told += [
            (name, f"{name} is there {count} times")
            for name in labels
            if (count := sum(s.label == name for s in gallery)) > 1
        ]
    return told if told or failed else _order(wanted, gallery)


def _image(image: Row, gallery: list[Shown], fields: tuple[str, ...]) -> list[tuple[str, str]]:
    name = label_of(image)
    there = [shown for shown in gallery if shown.label == name]
    if not there:
        return [(name, f"{name} is missing")]
    return [
        (name, f"{name}: {field} is {getattr(there[0], field)!r}, not {image[field]!r}")
        for field in fields
        if field in image and all(getattr(shown, field) != image[field] for shown in there)
    ]


def _order(wanted: list[Row], gallery: list[Shown]) -> list[tuple[str, str]]:
    managed = [image for image in wanted if "sort_order" in image]
    names = [label_of(image) for image in managed]
    if any(sum(shown.label == name for shown in gallery) != 1 for name in names):
        return []
    stands = {shown.label: shown.sort_order for shown in gallery}
    asked = [image["sort_order"] for image in managed]
    if len(set(asked)) == len(asked):
        pairs = zip(names, asked, strict=True)
        return [(n, f"{n}: sort_order is {stands[n]}, not {value}") for n, value in pairs if stands[n] != value]
    should = [name for _, _, name in sorted(zip(asked, range(len(asked)), names, strict=True))]
    is_so = [shown.label for shown in gallery if shown.label in stands and shown.label in names]
    return [] if is_so == should else [(is_so[0], f"the order is {is_so}, not {should}")]
