"""The fewest writes: no shorter sequence of creates, updates and deletes reaches the goal, by trying all of them."""

from __future__ import annotations

import itertools
import random

import pytest

from engine.core.diff import diff
from engine.core.model import Present, Wanted, WantedProduct
from engine.core.order import Arrangement, Place, Reading, Renumbering, arrange, is_met, put

HIGHEST = 4
ENOUGH = 250_000


def fewest_puts(places: list[Place], orders: dict[int, int], reading: Renumbering) -> int | None:
    """How few PUTs of sort orders will do, whatever the creates carry; None where the search grows too large.

    The PUTs go from the lowest value upwards, as updates do (that order is right under every reading), to images that
    are there and whose sort order is managed (no other may be written), one an image at most (all its fields go in one PUT).
    """
    values = range(min(0, *orders.values(), *(p.asked for p in places)) if orders else 0, HIGHEST + 3)
    edge = [(state, ids, values[0], frozenset()) for state, ids in _made(places, orders, values)]
    managed = {place.image_id for place in places} - {None}
    seen = set(edge)
    for count in itertools.count():
        for state, ids, *_ in edge:
            known = dict(ids)
            made = [Place(p.asked, p.image_id or known[p.row], p.row) for p in places]
            if is_met(made, dict(state)):
                return count
        edge = _one_more_put(edge, seen, values, managed, reading)
        if len(seen) > ENOUGH:
            return None
    raise AssertionError


def _made(places: list[Place], orders: dict[int, int], values: range):
    """Every gallery that creates alone can lead to, with the ids that they get."""
    new = sorted((p for p in places if p.image_id is None), key=lambda p: (p.asked, p.row))
    first = max(orders, default=0) + 1
    for chosen in itertools.product(values, repeat=len(new)):
        state, ids = dict(orders), {}
        for image_id, index in enumerate(sorted(range(len(new)), key=lambda i: (chosen[i], i)), first):
            state[image_id] = chosen[index]
            ids[new[index].row] = image_id
        yield tuple(state.items()), tuple(sorted(ids.items()))


def _one_more_put(edge, seen, values: range, managed, reading: Renumbering):
    following = []
    for state, ids, floor, written in edge:
        for image_id, value in itertools.product(managed - written, range(floor, values[-1] + 1)):
            after = dict(state)
            put(after, image_id, value, reading)
            key = (tuple(after.items()), ids, value, written | {image_id})
            if key not in seen:
                seen.add(key)
                following.append(key)
    return following


def gallery(chance: random.Random, most: int, *, ties: bool) -> tuple[list[Place], dict[int, int]]:
    """A small gallery: some images there, up to two to be made, at most one that is not managed."""
    count = chance.randint(1, most)
    new = chance.randint(0, min(2, count))
    orders = {n: chance.randint(0, HIGHEST) for n in range(1, count - new + 1 + chance.randint(0, 1))}
    asked = [chance.randint(0, 2) for _ in range(count)] if ties else chance.sample(range(HIGHEST + 1), count)
    ids = [*range(1, count - new + 1), *([None] * new)]
    chance.shuffle(ids)
    return [Place(value, image_id, row) for row, (value, image_id) in enumerate(zip(asked, ids, strict=True))], orders


@pytest.mark.parametrize("ties", [False, True], ids=["each its own", "equal sort orders"])
@pytest.mark.parametrize("reading", list(Renumbering), ids=lambda each: each.value)
@pytest.mark.parametrize(("most", "cases"), [(3, 120), (4, 40), (5, 10)], ids=["3 images", "4 images", "5 images"])
def test_no_shorter_sequence_of_puts_reaches_the_order(reading: Renumbering, ties: bool, most: int, cases: int) -> None:
    """Against a search of every sequence of PUTs after every choice of what the creates carry."""
    chance = random.Random(f"{reading.value}{ties}{most}")
    judged = 0
    for _ in range(cases):
        places, orders = gallery(chance, most, ties=ties)
        plan = Arrangement() if is_met(places, orders) else arrange(places, orders, Reading(reading, post=False))
        best = fewest_puts(places, orders, reading)
        if best is not None:
            judged += 1
            # The plan may even beat the search, which looks at no value above its range.
            assert len(plan.puts) <= best, (places, orders, plan)
    assert judged > cases // 2


@pytest.mark.parametrize("mirror", [True, False], ids=["sync", "migrate"])
def test_every_write_of_a_plan_is_called_for(mirror: bool) -> None:
    """As many creates as are missing, one update an image that differs, as many deletes as are surplus: none can be spared."""
    chance = random.Random(5)
    for _ in range(300):
        names = [f"n{n}" for n in range(chance.randint(0, 5))]
        there = [name for name in [*names, "other"] if chance.random() < 0.6]
        texts = {name: chance.choice(["", "x"]) for name in names}
        flag = chance.choice([None, *names])
        images = [Wanted(f"https://x/{n}.jpg", texts[n], None, None if flag is None else n == flag) for n in names]
        present = [Present(i, f"a/123/{n}__12345.jpg", chance.choice(["", "x"]), i) for i, n in enumerate(there, 1)]
        if present:
            chance.choice(present).is_thumbnail = True
        changes = diff(WantedProduct(1, images), present, {}, mirror=mirror, reading=Reading()).changes
        by_name = {image.image_file[6:].partition("__")[0]: image for image in present}
        retitled = {n for n in names if n in by_name and by_name[n].description != texts[n]}
        successor = flag is not None and flag in by_name and not by_name[flag].is_thumbnail
        assert len(changes.creates) == len([n for n in names if n not in by_name])
        assert len(changes.updates) == len(retitled | ({flag} if successor else set()))
        assert len(changes.deletes) == (len([n for n in by_name if n not in names]) if mirror else 0)
