"""The fewest writes: no shorter sequence of creates, updates and deletes reaches the goal, by trying all of them."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from imageferry.core.diff.compare import compare
from imageferry.core.diff.renumbering import Renumbering, RenumberingModel
from imageferry.core.model import StoredImage, Wanted, WantedProduct

if TYPE_CHECKING:
    from imageferry.core.diff.changes import Changes

HIGHEST = 4
SPARE = 2
"""Range of the brute-force search above all present and wanted values."""
READINGS = [RenumberingModel(renumbering, post) for renumbering in Renumbering for post in (False, True)]
IDS = [f"{reading.on_update.value}{'+post' if reading.on_create else ''}" for reading in READINGS]


@dataclass
class Gallery:
    """The store's side of the search: sort orders and texts by image id, the thumbnail's id (0: none), ids of rows made."""

    orders: dict[int, int]
    texts: dict[int, str]
    thumbnail: int
    rows: dict[int, int] = field(default_factory=dict)

    def copy(self) -> Gallery:
        return Gallery(dict(self.orders), dict(self.texts), self.thumbnail, dict(self.rows))

    def push(self, value: int) -> None:
        for image_id, order in self.orders.items():
            self.orders[image_id] = order + (order >= value)

    def post(self, row: int, wanted: Wanted, value: int | None, *, moves: bool) -> None:
        if moves and value is not None:
            self.push(value)
        image_id = max(self.orders, default=0) + 1
        self.orders[image_id] = max(self.orders.values(), default=-1) + 1 if value is None else value
        self.texts[image_id] = wanted.description or ""
        self.rows[row] = image_id
        if wanted.is_thumbnail:
            self.thumbnail = image_id

    def put(self, image_id: int, fields: dict[str, object], renumbering: Renumbering) -> None:
        value = fields.get("sort_order")
        if value is not None:
            if renumbering is Renumbering.ALWAYS or (
                renumbering is Renumbering.RAISED and value > self.orders[image_id]
            ):
                self.push(value)
            self.orders[image_id] = value
        self.texts[image_id] = fields.get("description", self.texts[image_id])
        if fields.get("is_thumbnail") is not None:
            kept = 0 if self.thumbnail == image_id else self.thumbnail
            self.thumbnail = image_id if fields["is_thumbnail"] else kept

    def is_as(self, images: list[Wanted]) -> bool:
        """The contract's words: fields that are asked for, and the order alone where two ask for one number."""
        ids = self.rows
        for row, image in enumerate(images):
            if image.description not in (None, self.texts[ids[row]]):
                return False
            if image.is_thumbnail not in (None, self.thumbnail == ids[row]):
                return False
        managed = sorted((image.sort_order, row) for row, image in enumerate(images) if image.sort_order is not None)
        stands = [(self.orders[ids[row]], ids[row]) for _, row in managed]
        asked = [order for order, _ in managed]
        if len(set(asked)) < len(asked):
            return stands == sorted(stands)
        return [order for order, _ in stands] == asked


def a_gallery(chance: random.Random, most: int, *, ties: bool) -> tuple[list[Wanted], list[StoredImage]]:
    """Up to so many images: there, to be made (two at most), surplus, unmanaged; texts and thumbnails like orders."""
    count = chance.randint(1, most)
    new = chance.randint(0, min(2, count))
    surplus = chance.randint(0, 1) if count < most else 0
    there = range(1, count - new + surplus + 1)
    present = [
        StoredImage(n, f"a/123/n{n}__12345.jpg", chance.choice(["", "x"]), chance.randint(0, HIGHEST)) for n in there
    ]
    if present and chance.random() < 0.8:
        chance.choice(present).is_thumbnail = True
    asked = [chance.randint(0, 2) for _ in range(count)] if ties else chance.sample(range(HIGHEST + 1), count)
    names = [*(f"n{n}" for n in range(1, count - new + 1)), *(f"new{n}" for n in range(new))]
    chance.shuffle(names)
    texts = chance.choice([[None], [None, None, "x"], ["", "x"]])
    images = [
        Wanted(f"https://x/{name}.jpg", chance.choice(texts), order) for name, order in zip(names, asked, strict=True)
    ]
    if chance.random() < 0.2:
        chance.choice(images).sort_order = None
    flag = chance.choice([None, None, *images])
    for image in images if flag else ():
        image.is_thumbnail = image is flag if chance.random() < 0.9 or image is flag else None
    return images, present


def at_first(images: list[Wanted], present: list[StoredImage]) -> Gallery:
    rows = {image.image_file[10:-4]: row for row, image in enumerate(images)}
    thumbnail = next((each.image_id for each in present if each.is_thumbnail), 0)
    names = {each.image_id: each.image_file[6:].partition("__")[0] for each in present}
    return Gallery(
        {each.image_id: each.sort_order for each in present},
        {each.image_id: each.description for each in present},
        thumbnail,
        {rows[name]: image_id for image_id, name in names.items() if name in rows},
    )


def carried_out(
    images: list[Wanted], present: list[StoredImage], changes: Changes, reading: RenumberingModel
) -> Gallery:
    gallery = at_first(images, present)
    for create in changes.creates:
        gallery.post(create.row, images[create.row], create.fields.get("sort_order"), moves=bool(reading.on_create))
    for update in changes.updates:
        gallery.put(update.image_id, update.fields, reading.on_update)
    return gallery


def is_reached(images: list[Wanted], present: list[StoredImage], reading: RenumberingModel, most: int) -> bool:
    """Return True if so many PUTs suffice, for any values and order of the creates.

    One PUT an image at most and none for one just made (creates carry their final fields), with any of the fields that
    are asked of it, and from the lowest sort order upwards.
    """
    start = at_first(images, present)
    numbers = [0, *(each.sort_order for each in (*images, *present) if each.sort_order is not None)]
    values = range(min(numbers), max(numbers) + SPARE + 1)
    seen: set[object] = set()
    return any(
        _can(each, images, reading, most, values, frozenset(each.orders.keys() - start.orders.keys()), values[0], seen)
        for each in _made(start, images, reading, values)
    )


def _made(start: Gallery, images: list[Wanted], reading: RenumberingModel, values: range) -> list[Gallery]:
    """Every gallery that the creates alone can lead to."""
    new = [row for row in range(len(images)) if row not in start.rows]
    made: dict[object, Gallery] = {}
    for rows in itertools.permutations(new):
        for chosen in itertools.product(*(values if images[row].sort_order is not None else [None] for row in rows)):
            gallery = start.copy()
            for row, value in zip(rows, chosen, strict=True):
                gallery.post(row, images[row], value, moves=bool(reading.on_create))
            made[tuple(gallery.orders.items()), tuple(sorted(gallery.rows.items()))] = gallery
    return list(made.values())


def _can(
    gallery: Gallery,
    images: list[Wanted],
    reading: RenumberingModel,
    most: int,
    values: range,
    written: frozenset[int],
    floor: int,
    seen: set[object],
) -> bool:
    if gallery.is_as(images):
        return True
    row_of = {image_id: row for row, image_id in gallery.rows.items()}
    retitled = [
        i for i, row in row_of.items() if i not in written and images[row].description not in (None, gallery.texts[i])
    ]
    key = (tuple(gallery.orders.items()), tuple(row_of.items()), gallery.thumbnail, written, floor)
    if most < max(1, len(retitled)) or key in seen:
        return False
    seen.add(key)  # the depth is the number of those written
    for image_id, row in row_of.items():
        if image_id in written:
            continue
        for fields in _puts(images[row], range(floor, values.stop), silent=floor == values[0]):
            after = gallery.copy()
            after.put(image_id, fields, reading.on_update)
            then = fields.get("sort_order", floor)
            if _can(after, images, reading, most - 1, values, written | {image_id}, then, seen):
                return True
    return False


def _puts(image: Wanted, values: range, *, silent: bool):
    """Yield the possible fields of one PUT: a text if wanted, a flag or none, a sort order or none.

    PUTs without a sort order move nothing, so it is enough to look at them before all others.
    """
    text = {} if image.description is None else {"description": image.description}
    flags = [{}] if image.is_thumbnail is None else [{}, {"is_thumbnail": image.is_thumbnail}]
    orders = [{"sort_order": value} for value in values] if image.sort_order is not None else []
    return [{**order, **text, **flag} for order in [*([{}] if silent else []), *orders] for flag in flags]


def judge(seed: str, cases: int, most: int, reading: RenumberingModel, *, ties: bool) -> int:
    """Plan so many galleries and look for anything shorter; how many of them needed a search at all."""
    chance = random.Random(seed)
    searched = 0
    for number in range(cases):
        images, present = a_gallery(chance, most, ties=ties)
        mirror = number % 4 > 0
        changes = compare(WantedProduct(1, images), present, {}, delete_extra=mirror, model=reading).changes
        case = (images, present, changes)
        assert carried_out(images, present, changes, reading).is_as(images), case
        gone = {image.image_id for image in present} - set(at_first(images, present).rows.values())
        assert set(changes.deletes) == (gone if mirror else set()), case
        assert len(changes.creates) == len(images) - len(present) + len(gone), case
        if changes.updates:
            searched += 1
            assert not is_reached(images, present, reading, len(changes.updates) - 1), case
    return searched


@pytest.mark.parametrize("ties", [False, True], ids=["each its own", "equal sort orders"])
@pytest.mark.parametrize("reading", READINGS, ids=IDS)
@pytest.mark.parametrize(("most", "cases"), [(3, 200), (4, 60), (5, 20)], ids=["3 images", "4 images", "5 images"])
def test_no_shorter_sequence_reaches_the_goal(reading: RenumberingModel, ties: bool, most: int, cases: int) -> None:
    """Against a search of every choice of what creates carry and every sequence of PUTs, all fields together."""
    assert judge(f"{reading}{ties}{most}", cases, most, reading, ties=ties) > cases // 3


@pytest.mark.parametrize("ties", [False, True], ids=["each its own", "equal sort orders"])
@pytest.mark.parametrize("reading", READINGS, ids=IDS)
def test_the_search_is_not_blind(reading: RenumberingModel, ties: bool) -> None:
    """It finds what the plan does when it is given as many PUTs as the plan has."""
    chance = random.Random(f"{reading}{ties}")
    for _ in range(40):
        images, present = a_gallery(chance, 3, ties=ties)
        changes = compare(WantedProduct(1, images), present, {}, delete_extra=True, model=reading).changes
        assert is_reached(images, present, reading, len(changes.updates)), (images, present, changes)


def n(number: int, text: str = "", order: int | None = None) -> tuple[Wanted, StoredImage]:
    """One image as wanted with equal sort orders, and as it is there."""
    return Wanted(f"https://x/n{number}.jpg", text or None, 0), StoredImage(
        number, f"a/123/n{number}__12345.jpg", "", order or 0
    )


@pytest.mark.parametrize("reading", READINGS, ids=IDS)
@pytest.mark.parametrize("written", [1, 2])
def test_of_two_that_may_move_the_one_moves_that_is_written_anyway(reading: RenumberingModel, written: int) -> None:
    """One PUT with text and sort order, not one for the text and one for the order."""
    (first, there_1), (second, there_2) = n(1, "new" * (written == 1), 5), n(2, "new" * (written == 2), 7)
    changes = compare(
        WantedProduct(1, [second, first]), [there_1, there_2], {}, delete_extra=True, model=reading
    ).changes
    assert [(u.image_id, set(u.fields)) for u in changes.updates] == [(written, {"description", "sort_order"})]


@pytest.mark.parametrize("renumbering", list(Renumbering), ids=lambda each: each.value)
def test_creates_that_move_their_siblings_are_sent_so_that_nothing_is_left_to_mend(renumbering: Renumbering) -> None:
    """Two new images before one that stays, all of one sort order: no PUT, and no listing afterwards."""
    reading = RenumberingModel(renumbering, on_create=True)
    (staying, there), images = n(1, "", 0), [Wanted(f"https://x/new{k}.jpg", None, 0) for k in range(2)]
    changes = compare(WantedProduct(1, [*images, staying]), [there], {}, delete_extra=True, model=reading).changes
    assert [(create.row, create.fields) for create in changes.creates] == [
        (0, {"sort_order": 0}),
        (1, {"sort_order": 1}),
    ]
    assert (changes.updates, changes.recheck) == ([], False)
