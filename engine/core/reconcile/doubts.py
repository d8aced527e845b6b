"""Unconfirmed creates: finds their images in a fresh listing, before any of them is sent again.

An image is a newcomer if it was neither there when the plan was made nor made by a confirmed create. The right name
makes it ours; among several of that name the one with the very fields that were sent. On a store that has been seen
to lose names the only newcomer is taken where exactly one create is outstanding (a guess that the name can't refute).
So it is, once the time to settle is over, for a source whose name the store has to complete, or may cut: what the store
makes of such a name is not known for sure, and that is no reason to send it twice.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..image_files import is_uncertain, likeness

if TYPE_CHECKING:
    from ..checkpoint.states import ProductLedger
    from ..model import StoredImage, Wanted
    from ..plan.batch import ProductPlan


@dataclass(slots=True)
class Match:
    """The result of one listing: rows found (row -> image id), rows missing, and images that nothing explains."""

    found: dict[int, int] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)
    unexplained: list[StoredImage] = field(default_factory=list)


def match_unconfirmed(
    batch: ProductPlan, course: ProductLedger, present: list[StoredImage], *, renames_files: bool, settled: bool = False
) -> Match:
    """Match the unconfirmed creates with the new images of a listing; `settled`: a missing one is sent again."""
    explained = {image.image_id for image in batch.present} | set(course.made)
    newcomers = [image for image in present if image.image_id not in explained]
    sighting = Match()
    outstanding = course.unconfirmed_creates()
    given_up = course.abandoned() + course.lost_images({image.image_id for image in present})
    for row in outstanding + given_up:
        wanted = batch.product.images[row]
        image = _closest(wanted, newcomers)
        if image is None and _only_explanation(course, row, outstanding, newcomers):
            fits = settled and is_uncertain(wanted.image_file) and not _tells_otherwise(wanted, newcomers[0])
            image = newcomers[0] if renames_files or fits else None
        if image is None:
            if row not in given_up:
                sighting.missing.append(row)
        else:
            sighting.found[row] = image.image_id
            newcomers.remove(image)
    sighting.unexplained = newcomers
    return sighting


def _only_explanation(course: ProductLedger, row: int, outstanding: list[int], newcomers: list[StoredImage]) -> bool:
    """Return True if only this create can explain the one new image."""
    others = (set(outstanding) | set(course.may_have_duplicates())) - {row}
    return len(newcomers) == 1 and not others


def _closest(wanted: Wanted, newcomers: list[StoredImage]) -> StoredImage | None:
    """Return the new image with the closest name, of several the one that differs least from what was sent."""
    alike = [
        (close, _differs(wanted, image), image.image_id, image)
        for image in newcomers
        if (close := likeness(wanted.image_file, image.image_file)) is not None
    ]
    return min(alike, key=lambda each: each[:3])[3] if alike else None


def _tells_otherwise(wanted: Wanted, image: StoredImage) -> bool:
    """Return True if the description is not the sent one, even trimmed, cut or escaped."""
    sent, kept = (wanted.description or "").strip(), html.unescape(image.description).strip()
    return bool(sent) and not (kept and (sent.startswith(kept) or kept.startswith(sent)))


def _differs(wanted: Wanted, image: StoredImage) -> int:
    return (wanted.description is not None and wanted.description != image.description) + (
        wanted.sort_order is not None and wanted.sort_order != image.sort_order
    )
