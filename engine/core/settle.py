"""Creates whose outcome is unknown: which image of a fresh listing is theirs. Looking comes before any sending again.

An image is a newcomer if it was neither there when the plan was made nor made by a confirmed create. The right name
makes it ours; among several of that name the one with the very fields that were sent. On a store that has been seen
to lose names the only newcomer is taken where exactly one create is outstanding (a guess that the name can't refute).
So it is, once the time to settle is over, for a source whose name the store has to complete, or may cut: what the store
makes of such a name is not known for sure, and that is no reason to send it twice.
"""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .address import unsigned
from .names import bears_name, is_uncertain, likeness

if TYPE_CHECKING:
    from .ledger import Course
    from .model import Present, Wanted, WantedProduct
    from .plan import Batch

Resent = dict[str, list[int]]
"""Of one product, the sources whose create was sent again after a look in vain -> the images that are no twins of theirs."""


@dataclass(slots=True)
class Sighting:
    """What a look told: rows found with their image ids, rows not there, and newcomers that nothing explains."""

    found: dict[int, int] = field(default_factory=dict)
    absent: list[int] = field(default_factory=list)
    strangers: list[Present] = field(default_factory=list)


def sight(batch: Batch, course: Course, present: list[Present], *, names_lost: bool, settled: bool = False) -> Sighting:
    """Match the product's unknown creates with the newcomers of a listing; `settled`: what is not there now is sent again."""
    explained = {image.image_id for image in batch.present} | set(course.made)
    newcomers = [image for image in present if image.image_id not in explained]
    sighting = Sighting()
    outstanding = course.unknown_creates()
    given_up = course.given_up() + course.bereft({image.image_id for image in present})
    for row in outstanding + given_up:
        wanted = batch.product.images[row]
        image = _best(wanted, newcomers)
        if image is None and _only_explanation(course, row, outstanding, newcomers):
            fits = settled and is_uncertain(wanted.image_file) and not _tells_otherwise(wanted, newcomers[0])
            image = newcomers[0] if names_lost or fits else None
        if image is None:
            if row not in given_up:
                sighting.absent.append(row)
        else:
            sighting.found[row] = image.image_id
            newcomers.remove(image)
    sighting.strangers = newcomers
    return sighting


def _only_explanation(course: Course, row: int, outstanding: list[int], newcomers: list[Present]) -> bool:
    """Whether the one newcomer can be nothing but this create: none other is outstanding or was ever sent twice."""
    others = (set(outstanding) | set(course.twins_possible())) - {row}
    return len(newcomers) == 1 and not others


def twins(batch: Batch, course: Course, strangers: list[Present], *, names_lost: bool) -> dict[int, list[Present]]:
    """Newcomers that bear the name of a create which was sent again after a look in vain; row -> those newcomers.

    On a store that loses names any of them may be one.
    """
    suspects: dict[int, list[Present]] = {}
    for row in course.twins_possible() if names_lost else course.made_again():
        alike = _alike(batch.product.images[row].image_file, strangers, names_lost=names_lost)
        if alike:
            suspects[row] = alike
    return suspects


def resent_in(batch: Batch, course: Course) -> Resent:
    """The product's creates that were sent again after a look in vain, and the images that are explained without them."""
    explained = [image.image_id for image in batch.present] + list(course.made)
    return {batch.product.images[row].image_file: explained for row in course.twins_possible()}


def late_twins(
    product: WantedProduct, present: list[Present], paired: set[int], resent: Resent, *, names_lost: bool
) -> dict[int, list[Present]]:
    """Twins that the former run could not see, or left: row -> images that it can't explain and that have no row.

    A source whose signature alone is new is the one that was sent again, unless another source of the product could be.
    """
    late: dict[int, list[Present]] = {}
    if not resent:
        return late
    alike_sources = Counter(unsigned(image.image_file) for image in product.images)
    former = {unsigned(source): known for source, known in resent.items()}
    for row, image in enumerate(product.images):
        known = resent.get(image.image_file)
        if known is None and alike_sources[unsigned(image.image_file)] == 1:
            known = former.get(unsigned(image.image_file))
        if known is None:
            continue
        strangers = [each for each in present if each.image_id not in paired and each.image_id not in known]
        alike = _alike(image.image_file, strangers, names_lost=names_lost)
        if alike:
            late[row] = alike
    return late


def _alike(source: str, strangers: list[Present], *, names_lost: bool) -> list[Present]:
    return [image for image in strangers if names_lost or bears_name(source, image.image_file)]


def resolve_writes(course: Course, present: list[Present]) -> list[tuple[bool, str, dict[str, list[int]]]]:
    """What a fresh listing shows of updates and deletes in doubt: (all of it shows, change, what else to note)."""
    by_id = {image.image_id: image for image in present}
    told: list[tuple[bool, str, dict[str, list[int]]]] = []
    for key, change in course.changes.items():
        if not change.in_doubt or key.startswith("create:") or change.sent is None:
            continue
        verb, _, number = key.partition(":")
        if verb == "update":
            image = by_id.get(int(number))
            done = image is not None and all(getattr(image, k) == v for k, v in change.sent["fields"].items())
            told.append((done, key, {}))
        elif verb == "delete":
            told.append((int(number) not in by_id, key, {}))
        else:
            ids = change.sent["image_ids"]
            gone = [image_id for image_id in ids if image_id not in by_id]
            told.append((len(gone) == len(ids), key, {"image_ids": gone}))
    return told


def _best(wanted: Wanted, newcomers: list[Present]) -> Present | None:
    """The newcomer that bears the name most closely, of several the one that differs least from what was sent."""
    alike = [
        (close, _differs(wanted, image), image.image_id, image)
        for image in newcomers
        if (close := likeness(wanted.image_file, image.image_file)) is not None
    ]
    return min(alike, key=lambda each: each[:3])[3] if alike else None


def _tells_otherwise(wanted: Wanted, image: Present) -> bool:
    """Whether an image's description can't be what a store made of the one that was sent, trimmed, cut or escaped."""
    sent, kept = (wanted.description or "").strip(), html.unescape(image.description).strip()
    return bool(sent) and not (kept and (sent.startswith(kept) or kept.startswith(sent)))


def _differs(wanted: Wanted, image: Present) -> int:
    return (wanted.description is not None and wanted.description != image.description) + (
        wanted.sort_order is not None and wanted.sort_order != image.sort_order
    )
