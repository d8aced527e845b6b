"""Inferring the renumbering model: never wrong, and as early as possible for PUT and POST."""

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from imageferry.core.diff.renumbering import MODELS, Renumbering, RenumberingModel, infer, predict, put

IDS = [f"{reading.on_update.value}{'+post' if reading.on_create else ''}" for reading in MODELS]
KNOWN = [RenumberingModel(renumbering, post) for renumbering in Renumbering for post in (None, False, True)]
FIRST_NEW = 50

small = st.integers(0, 6)
galleries = st.dictionaries(st.integers(1, 6), small, max_size=6)


@st.composite
def rounds(draw: st.DrawFn) -> tuple[dict[int, int], list[tuple[int, int]], list[tuple[int, int]]]:
    """A gallery, creates, and PUTs to images old and new, each at most once."""
    before = draw(galleries)
    creates = [(FIRST_NEW + n, value) for n, value in enumerate(draw(st.lists(small, max_size=3)))]
    there = [*before, *(image_id for image_id, _ in creates)]
    written = draw(st.permutations(there))[: draw(st.integers(0, len(there)))]
    return before, creates, [(image_id, draw(small)) for image_id in written]


@pytest.mark.parametrize("reading", MODELS, ids=IDS)
@given(round_=rounds(), gone=st.sets(st.integers(1, FIRST_NEW + 2)), known=st.sampled_from(KNOWN))
def test_what_is_learned_is_what_the_store_does(
    reading: RenumberingModel, round_, gone: set[int], known: RenumberingModel
) -> None:
    """Whatever of a round is still listed: of PUT and POST each, what it was taken for stays or becomes the truth."""
    assume(known.on_create in (None, reading.on_create))
    after = {image_id: order for image_id, order in predict(*round_, reading).items() if image_id not in gone}
    told = infer(known, *round_, after)
    assert told.on_update in (known.on_update, reading.on_update)
    assert told.on_create in (known.on_create, reading.on_create)
    event(f"put learned: {told.on_update is reading.on_update}, post learned: {told.on_create is reading.on_create}")


@pytest.mark.parametrize("reading", MODELS, ids=IDS)
@given(round_=rounds(), known=st.sampled_from(KNOWN))
def test_all_that_a_round_tells_is_learned(reading: RenumberingModel, round_, known: RenumberingModel) -> None:
    """Unlearned stays only what another reading would have brought about just the same; what was wrongly known gives way."""
    after = predict(*round_, reading)
    alike = [other for other in MODELS if predict(*round_, other) == after]
    told = infer(known, *round_, after)
    if all(other.on_create is reading.on_create for other in alike):
        assert told.on_create is reading.on_create
    if all(other.on_update is reading.on_update for other in alike):
        assert told.on_update is reading.on_update


@given(round_=rounds(), after=st.dictionaries(st.integers(1, FIRST_NEW + 2), small), known=st.sampled_from(KNOWN))
def test_nothing_is_learned_of_what_no_reading_explains(round_, after: dict[int, int], known: RenumberingModel) -> None:
    """Somebody else was at work: images stand where no reading would have put them, and not in a row without gaps."""
    assume(
        sorted(after.values())
        != list(range(min(after.values(), default=0), len(after) + min(after.values(), default=0)))
    )
    assume(not any({**(orders := predict(*round_, reading)), **after} == orders for reading in MODELS))
    assert infer(known, *round_, after) == known


@pytest.mark.parametrize("reading", MODELS, ids=IDS)
@given(round_=rounds(), order=small, known=st.sampled_from(KNOWN))
def test_nothing_is_learned_beside_somebody_elses_image(
    reading: RenumberingModel, round_, order: int, known: RenumberingModel
) -> None:
    """An image that nobody here made may have moved the others when it came."""
    after = {**predict(*round_, reading), 99: order}
    assert infer(known, *round_, after) == known


@pytest.mark.parametrize("reading", MODELS, ids=IDS)
def test_one_round_of_creates_and_puts_tells_all_of_it(reading: RenumberingModel) -> None:
    """A create in front, a raise and a lowering among siblings: all six readings come apart at once."""
    round_ = {1: 0, 2: 1, 3: 2, 4: 3}, [(9, 0)], [(3, 0), (1, 3)]
    assert infer(RenumberingModel(), *round_, predict(*round_, reading)) == reading


def test_a_create_moves_like_a_put_until_something_tells_them_apart() -> None:
    """A shift that POST or PUT explains shows nothing of either, but of PUT once POST is known."""
    round_ = {1: 3, 2: 4}, [(9, 0)], [(1, 0)]
    after = {2: 5}
    assert infer(RenumberingModel(), *round_, after) == RenumberingModel()
    assert infer(RenumberingModel(on_create=False), *round_, after) == RenumberingModel(
        Renumbering.ALWAYS, on_create=False
    )
    assert infer(RenumberingModel(Renumbering.ALWAYS, on_create=True), *round_, after) == RenumberingModel(
        Renumbering.ALWAYS, on_create=True
    )


def test_rounds_without_creates_tell_nothing_of_post_and_those_without_puts_nothing_of_put() -> None:
    """A create above all others moves nothing either way; without a round there is nothing to be seen."""
    known = RenumberingModel(Renumbering.NONE)
    assert infer(known, {1: 3}, [], [], {1: 3}) == known
    assert infer(known, {1: 3}, [(9, 7)], [], {1: 3, 9: 7}) == known
    assert infer(known, {1: 3}, [(9, 0)], [], {1: 4, 9: 0}) == RenumberingModel(Renumbering.NONE, on_create=True)
    assert infer(known, {1: 3, 2: 4}, [], [(2, 3)], {1: 4, 2: 3}) == RenumberingModel(Renumbering.ALWAYS)


def numbered_anew(
    before: dict[int, int], creates: list[tuple[int, int]], puts: list[tuple[int, int]], first: int
) -> dict[int, int]:
    """Return the orders after a round in a store that closes gaps; a written image precedes its equals."""
    orders = dict(before)
    for image_id, value in (*creates, *puts):
        put(orders, image_id, value, Renumbering.ALWAYS)
        orders = {
            each: first + place for place, each in enumerate(sorted(orders, key=lambda each: (orders[each], each)))
        }
    return orders


def test_a_store_that_numbers_a_gallery_anew_puts_images_in_before_their_equals() -> None:
    """Images moved to one number stand in the reverse of the sequence they were written in, whatever their numbers are now."""
    before = {17: 0, 38: 1, 36: 2, 27: 3, 18: 4, 19: 5}
    after = {36: 0, 27: 1, 18: 2, 17: 3, 38: 4, 19: 5}
    puts = [(18, 0), (27, 0), (36, 0)]
    assert numbered_anew(before, [], puts, 0) == after
    assert infer(RenumberingModel(), before, [], puts, after) == RenumberingModel(Renumbering.ALWAYS)
    assert infer(RenumberingModel(), before, [], puts, {**after, 99: 6}) == RenumberingModel()


@given(round_=rounds(), known=st.sampled_from(KNOWN), first=st.integers(0, 1))
def test_of_a_store_that_numbers_anew_nothing_else_is_learned(round_, known: RenumberingModel, first: int) -> None:
    """Gapless renumbering is inferred if no other model explains the round, else the other model is."""
    _, creates, puts = round_
    after = numbered_anew(*round_, first)
    told = infer(known, *round_, after)
    if not any(predict(*round_, reading) == after for reading in MODELS):
        assert told == RenumberingModel(
            Renumbering.ALWAYS if puts else known.on_update, on_create=True if creates else known.on_create
        )
