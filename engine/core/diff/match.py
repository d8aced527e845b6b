"""Matching of wanted and stored images: by known id, then by name."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from ..identities import IdentityMap, known_image, own_values_of, still_valid
from ..image_files import (
    CUT_FROM,
    GONE,
    MAX_COMPLETIONS,
    base_name,
    beginning,
    body_key,
    completions,
    cut_key,
    folded_name,
    is_cut,
    one_extension,
)
from ..model import StoredImage, Wanted
from ..source_addresses import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..identities import IdentityMap
    from ..model import StoredImage, Wanted

_FIELDS = ("description", "sort_order", "is_thumbnail")


@dataclass(slots=True)
class Matching:
    """Matched rows and image ids.

    `guessed` has the rows that could match another image.
    """

    matches: dict[int, int] = field(default_factory=dict)
    guessed: list[int] = field(default_factory=list)


def match_images(
    images: list[Wanted], present: list[StoredImage], identities: IdentityMap, *, by_name: bool = True
) -> Matching:
    """Match each row with at most one image.

    Known ids first, then names.
    """
    found = Matching()
    left = {image.image_id: image for image in present}
    if identities:
        for row, image in enumerate(images):
            known = identities.get(image.image_file)
            if known is not None and known[0] in left:
                found.matches[row] = known[0]
                del left[known[0]]
    if by_name and left and len(found.matches) < len(images):
        _Names(images, left, identities, found).pair()
    return found


class _Names:
    """Rows and images without a known id, matched by name."""

    def __init__(
        self, images: list[Wanted], left: dict[int, StoredImage], identities: IdentityMap, found: Matching
    ) -> None:
        self._images = images
        self._left = left
        self._identities = identities
        self._found = found

    def pair(self) -> None:
        """Match from the closest likeness to the loosest."""
        self._by(base_name, lambda there: base_name(there.image_file))
        self._by(lambda source: folded_name(base_name(source)), lambda there: folded_name(base_name(there.image_file)))
        if not self._open():
            return
        # An image known under another source is not matched by likeness.
        owners = {known[0]: source for source, known in self._identities.items() if not source.startswith(GONE)}
        self._by(
            lambda source: identity(source) if completions(source) else None,
            lambda there: identity(owners[there.image_id]) if there.image_id in owners else None,
        )
        known = {pair[0] for pair in self._identities.values()}
        aside = {image_id: self._left.pop(image_id) for image_id in known if image_id in self._left}
        self._by(one_extension, lambda there: one_extension(there.image_file))
        for place in range(MAX_COMPLETIONS):
            self._by(lambda source, at=place: _completion(source, at), lambda there: body_key(there.image_file))  # type: ignore[misc]
        self._cut()
        self._left |= aside

    def _open(self) -> bool:
        return bool(self._left) and len(self._found.matches) < len(self._images)

    def _by(self, of_row: Callable[[str], str | None], of_image: Callable[[StoredImage], str | None]) -> None:
        if not self._open():
            return
        rows: dict[str, list[int]] = {}
        for row, image in enumerate(self._images):
            if row not in self._found.matches and (key := of_row(image.image_file)) is not None:
                rows.setdefault(key, []).append(row)
        candidates: dict[str, list[StoredImage]] = {}
        for there in self._left.values():
            name = of_image(there)
            if name is not None and name in rows:
                candidates.setdefault(name, []).append(there)
        for name, alike in candidates.items():
            self._match(rows[name], alike)

    def _cut(self) -> None:
        """Match names that the store may have cut, the longest first.

        All are guesses.
        """
        whole = sorted(
            (key, row)
            for row, image in enumerate(self._images)
            if row not in self._found.matches and len(key := cut_key(image.image_file)) > CUT_FROM
        )
        if not whole:
            return
        cut: dict[str, list[StoredImage]] = {}
        for there in self._left.values():
            if len(body := beginning(there.image_file)) >= CUT_FROM:
                cut.setdefault(body, []).append(there)
        for body in sorted(cut, key=len, reverse=True):
            rows = []
            for key, row in islice(whole, bisect_left(whole, (body, -1)), None):
                if not key.startswith(body):
                    break
                if row not in self._found.matches and is_cut(self._images[row].image_file, cut[body][0].image_file):
                    rows.append(row)
            self._match(rows, cut[body], guess=True)

    def _match(self, rows: list[int], alike: list[StoredImage], *, guess: bool = False) -> None:
        """Match rows and images of one name, as many as there are of the fewer."""
        if not rows:
            return
        if len(rows) == len(alike) == 1:
            matched = [(rows[0], alike[0])]
            guessed = rows if guess else []
        else:
            matched = match(self._images, rows, alike)
            guessed = _ambiguous(self._images, rows, alike, matched)
        for row, there in matched:
            self._found.matches[row] = there.image_id
            del self._left[there.image_id]
        self._found.guessed += guessed


def _completion(source: str, place: int) -> str | None:
    """Return one possible completion of a source's name, None beyond the last."""
    names = completions(source)
    return names[place] if place < len(names) else None


def match(images: list[Wanted], rows: list[int], alike: list[StoredImage]) -> list[tuple[int, StoredImage]]:
    """Match rows and images of one name.

    By managed fields, description, thumbnail, order.

    The sort order alone matches only if it matches all of them: stores move whole galleries by one.
    """
    open_rows = dict.fromkeys(sorted(rows, key=lambda row: _rank(images, row)))
    left = {each.image_id: each for each in sorted(alike, key=lambda each: (each.sort_order, each.image_id))}
    matched: list[tuple[int, StoredImage]] = []

    def take(sign: Callable[[Wanted], tuple[str, ...]]) -> None:
        for row, there in list(_agreeing(images, open_rows, left, sign)):
            matched.append((row, there))
            del open_rows[row], left[there.image_id]

    take(lambda image: _managed(image) if image.description is not None else ())
    take(lambda image: ("description",) if image.description is not None else ())
    take(lambda image: ("is_thumbnail",) if image.is_thumbnail and image.sort_order is None else ())
    if len(open_rows) != len(left):
        orders = Counter(each.sort_order for each in left.values())
        asked = Counter(images[row].sort_order for row in open_rows)
        if all(order is not None and orders[order] >= count for order, count in asked.items()):
            take(lambda _: ("sort_order",))
    return matched + list(zip(open_rows, left.values(), strict=False))


def _agreeing(
    images: list[Wanted],
    rows: Iterable[int],
    left: dict[int, StoredImage],
    sign: Callable[[Wanted], tuple[str, ...]],
) -> Iterator[tuple[int, StoredImage]]:
    """Yield rows with an image that has the same values in the row's `sign` fields.

    Each image is used once.
    """
    indexes: dict[tuple[str, ...], dict[tuple[object, ...], list[StoredImage]]] = {}
    taken: set[int] = set()
    for row in rows:
        names = sign(images[row])
        if not names:
            continue
        if names not in indexes:
            index = indexes[names] = {}
            for there in reversed(left.values()):
                index.setdefault(_values(there, names), []).append(there)
        same = indexes[names].get(_values(images[row], names), [])
        while same and same[-1].image_id in taken:
            same.pop()
        if same:
            taken.add(same[-1].image_id)
            yield row, same.pop()


def _ambiguous(
    images: list[Wanted], rows: list[int], alike: list[StoredImage], matched: Iterable[tuple[int, StoredImage]]
) -> list[int]:
    """Return the matched rows whose fields leave another match possible."""
    kinds = {_managed(images[row]) for row in rows}
    of_images = {names: Counter(_values(there, names) for there in alike) for names in kinds}
    of_rows = {
        names: Counter(_values(images[r], names) for r in rows if _managed(images[r]) == names) for names in kinds
    }
    ambiguous = []
    for row, there in matched:
        names = _managed(images[row])
        agree = _values(images[row], names) == _values(there, names)
        claims = sum(of_rows[each][_values(there, each)] for each in kinds)
        if not agree or of_images[names][_values(there, names)] > 1 or claims > 1:
            ambiguous.append(row)
    return ambiguous


def _managed(image: Wanted) -> tuple[str, ...]:
    return tuple(name for name in _FIELDS if getattr(image, name) is not None)


def _values(image: Wanted | StoredImage, names: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(getattr(image, name) for name in names)


def _rank(images: list[Wanted], row: int) -> tuple[int, int]:
    order = images[row].sort_order
    return (row if order is None else order, row)


def is_outdated(image: Wanted, image_id: int, identities: IdentityMap) -> bool:
    """Return True if the image's bytes have another version than the wanted one."""
    if image.version is None:
        return False
    known = identities.get(f"{GONE}{image_id}") or identities.get(image.image_file)
    return known is not None and known[1] is not None and known[1] != image.version


def update_identities(
    images: list[Wanted], matches: dict[int, int], identities: IdentityMap, by_id: dict[int, StoredImage]
) -> IdentityMap:
    """Return the known images of the product after matching.

    An outdated image keeps the version that its bytes have.
    """
    known: IdentityMap = {}
    for row, image_id in matches.items():
        image = images[row]
        prior = identities.get(image.image_file)
        recorded = prior[1] if prior is not None else None
        version = recorded if recorded is not None else image.version
        kept = own_values_of(prior) if prior is not None and prior[0] == image_id else {}
        known[image.image_file] = known_image(image_id, version, kept and still_valid(image, by_id[image_id], kept))
    return known
