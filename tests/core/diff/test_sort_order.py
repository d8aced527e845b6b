"""Sort orders: whatever the store renumbers by itself, the gallery ends as asked, and with few writes."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageferry.core.diff.arrange import arrange
from imageferry.core.diff.renumbering import Renumbering, RenumberingModel, put
from imageferry.core.diff.sort_order import Arrangement, Place, has_ties, is_met

READINGS = [RenumberingModel(put_, post) for put_ in Renumbering for post in (False, True)]
IDS = [f"{r.on_update.value}{'+post' if r.on_create else ''}" for r in READINGS]


def carried_out(
    places: list[Place], orders: dict[int, int], reading: RenumberingModel, plan: Arrangement
) -> dict[int, int]:
    """Play a store of that reading: creates as `diff` orders them, then the PUTs; the places learn their new ids."""
    now = dict(orders)
    new_id = max(now, default=0) + 1
    by_row = {place.row: place for place in places}
    for row, value in sorted(plan.creates.items(), key=lambda each: (each[1], by_row[each[0]].asked, each[0])):
        if reading.on_create:
            now = {sibling: present + (present >= value) for sibling, present in now.items()}
        now[new_id] = value
        by_row[row].image_id = new_id
        new_id += 1
    for image_id, value in plan.puts:
        put(now, image_id, value, reading.on_update)
    return now


galleries = st.lists(st.integers(0, 6), min_size=0, max_size=6)


@pytest.mark.parametrize("reading", READINGS, ids=IDS)
@given(present=galleries, asked=st.lists(st.integers(0, 6), max_size=7), data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_gallery_ends_as_asked_in_one_round_under_every_reading(
    reading: RenumberingModel, present: list[int], asked: list[int], data: st.DataObject
) -> None:
    """Carried out on a store of that reading nothing is left to mend, whatever is written anyway."""
    orders = {index + 1: value for index, value in enumerate(present)}
    ids = data.draw(st.permutations([*orders, *([None] * len(asked))]))[: len(asked)]
    written = data.draw(st.sets(st.sampled_from([*orders, 0])))
    places = [Place(value, image_id, row) for row, (value, image_id) in enumerate(zip(asked, ids, strict=True))]
    if is_met(places, orders):
        return
    plan = arrange(places, orders, reading, written)
    assert [value for _, value in plan.puts] == sorted(value for _, value in plan.puts)
    assert len(dict(plan.puts)) == len(plan.puts)
    orders = carried_out(places, orders, reading, plan)
    assert is_met(places, orders)
    assert has_ties(places) or arrange(places, orders, reading).puts == []


@pytest.mark.parametrize("reading", READINGS, ids=IDS)
@pytest.mark.parametrize("count", [80, 1000])
def test_a_large_gallery_with_equal_sort_orders_ends_as_asked(reading: RenumberingModel, count: int) -> None:
    """Above the size that is solved exactly, too, and all but a few stay where they are when a few move."""
    chance = random.Random(count)
    orders = {n: 2 * n for n in range(1, count + 1)}
    row = list(orders)
    for _ in range(5):
        row.insert(chance.randrange(count), row.pop(chance.randrange(count)))
    places = [Place(place // 2, image_id, place) for place, image_id in enumerate(row)]
    plan = arrange(places, orders, reading)
    assert len(plan.puts) <= 5
    assert is_met(places, carried_out(places, orders, reading, plan))


def shortest(places: list[Place], orders: dict[int, int], put_: Renumbering) -> int:
    """The fewest PUTs that reach the goal at all, by trying every sequence of values in reach."""
    values = range(max([*orders.values(), *(place.asked for place in places)]) + 3)
    seen, edge = {tuple(sorted(orders.items()))}, [orders]
    for count in itertools.count():
        if any(is_met(places, state) for state in edge):
            return count
        following = []
        for state in edge:
            for image_id, value in itertools.product(state, values):
                after = dict(state)
                put(after, image_id, value, put_)
                key = tuple(sorted(after.items()))
                if key not in seen:
                    seen.add(key)
                    following.append(after)
        edge = following
    raise AssertionError


@pytest.mark.parametrize("put_", list(Renumbering), ids=lambda r: r.value)
def test_no_shorter_sequence_orders_three_images_anew(put_: Renumbering) -> None:
    """Every order of three images over small values, against a search of all sequences of PUTs."""
    for present in itertools.product(range(3), repeat=3):
        for asked in itertools.permutations(range(4), 3):
            orders = dict(enumerate(present, 1))
            places = [Place(value, row + 1, row) for row, value in enumerate(asked)]
            plan = arrange(places, orders, RenumberingModel(put_)) if not is_met(places, orders) else Arrangement()
            assert len(plan.puts) == shortest(places, orders, put_), (present, asked)


def test_equal_sort_orders_are_met_by_the_order_alone() -> None:
    """Three zeros are met as soon as the images stand in the manifest's order."""
    places = [Place(0, 30, 0), Place(0, 10, 1), Place(0, 20, 2)]
    assert not is_met(places, {30: 0, 10: 0, 20: 0})
    assert is_met(places, {30: 0, 10: 1, 20: 1})
    assert arrange(places, {30: 0, 10: 1, 20: 1}, RenumberingModel()).puts == []


def test_one_image_that_moves_to_the_front_of_equals_costs_few_writes() -> None:
    """Those that may stay stay: nothing but the mover is written where there is room before them."""
    orders = {1: 5, 2: 6, 3: 7, 4: 9}
    places = [Place(0, 4, 0), Place(0, 1, 1), Place(0, 2, 2), Place(0, 3, 3)]
    assert len(arrange(places, orders, RenumberingModel(Renumbering.NONE)).puts) == 1
