"""Creates whose outcome is unknown: which image of a fresh listing is theirs. Looking comes before any sending again.

An image is a newcomer if it was neither there when the plan was made nor made by a confirmed create. The right name
makes it ours; among several of that name the one with the very fields that were sent. On a store that has been seen
to lose names the only newcomer is taken where exactly one create is outstanding (a guess that the name can't refute).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .names import loose, stem

if TYPE_CHECKING:
    from .ledger import Course
    from .model import Present, Wanted
    from .plan import Batch


@dataclass(slots=True)
class Sighting:
    """What a look told: rows found with their image ids, rows not there, and newcomers that nothing explains."""

    found: dict[int, int] = field(default_factory=dict)
    absent: list[int] = field(default_factory=list)
    strangers: list[Present] = field(default_factory=list)


def sight(batch: Batch, course: Course, present: list[Present], *, names_lost: bool) -> Sighting:
    """Match the product's unknown creates with the newcomers of a listing."""
    explained = {image.image_id for image in batch.present} | set(course.made)
    newcomers = [image for image in present if image.image_id not in explained]
    sighting = Sighting()
    outstanding = course.unknown_creates()
    given_up = course.given_up()
    for row in outstanding + given_up:
        image = _best(batch.product.images[row], newcomers)
        if image is None and names_lost and len(outstanding) == 1 and len(newcomers) == 1:
            image = newcomers[0]
        if image is None:
            if row not in given_up:
                sighting.absent.append(row)
        else:
            sighting.found[row] = image.image_id
            newcomers.remove(image)
    sighting.strangers = newcomers
    return sighting


def twins(batch: Batch, course: Course, strangers: list[Present]) -> dict[int, list[Present]]:
    """Newcomers that bear the name of a create which was sent again after a look in vain; row -> those newcomers."""
    suspects: dict[int, list[Present]] = {}
    for row in course.twins_possible():
        name = stem(batch.product.images[row].image_file)
        alike = [image for image in strangers if stem(image.image_file) == name]
        if alike:
            suspects[row] = alike
    return suspects


def resolve_writes(course: Course, present: list[Present]) -> list[tuple[str, str, list[int] | None]]:
    """What became of updates and deletes in doubt, told by a fresh listing: (found or absent, change, images gone)."""
    by_id = {image.image_id: image for image in present}
    told: list[tuple[str, str, list[int] | None]] = []
    for key, change in course.changes.items():
        if not change.in_doubt or key.startswith("create:") or change.sent is None:
            continue
        verb, _, number = key.partition(":")
        if verb == "update":
            image = by_id.get(int(number))
            done = image is not None and all(getattr(image, k) == v for k, v in change.sent["fields"].items())
            told.append(("found" if done else "absent", key, None))
        elif verb == "delete":
            told.append(("absent" if int(number) in by_id else "found", key, None))
        else:
            gone = [image_id for image_id in change.sent["image_ids"] if image_id not in by_id]
            told.append(("found" if gone else "absent", key, gone or None))
    return told


def _best(wanted: Wanted, newcomers: list[Present]) -> Present | None:
    name = stem(wanted.image_file)
    alike = [image for image in newcomers if stem(image.image_file) == name]
    alike = alike or [image for image in newcomers if loose(stem(image.image_file)) == loose(name)]
    return min(alike, key=lambda image: (_differs(wanted, image), image.image_id), default=None)


def _differs(wanted: Wanted, image: Present) -> int:
    return (wanted.description is not None and wanted.description != image.description) + (
        wanted.sort_order is not None and wanted.sort_order != image.sort_order
    )
