"""The diff: identity by ledger, then by name; changes that are all that is needed and nothing more."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageferry.core.checkpoint.states import ProductLedger
from imageferry.core.diff.compare import compare
from imageferry.core.diff.renumbering import Renumbering, RenumberingModel, make_room, put
from imageferry.core.model import StoredImage, Wanted, WantedProduct
from imageferry.core.plan.batch import ProductPlan
from imageferry.core.reconcile.remaining import identities_after

if TYPE_CHECKING:
    from imageferry.core.identities import IdentityMap

READING = RenumberingModel()


def wanted(*images: Wanted) -> WantedProduct:
    return WantedProduct(1, list(images), 1)


def there(image_id: int, name: str, order: int = 0, *, thumbnail: bool = False, text: str = "") -> StoredImage:
    return StoredImage(image_id, f"a/123/{name}", text, order, thumbnail)


def test_what_is_as_asked_needs_nothing() -> None:
    """Equal names and equal managed fields: no changes, and the pair is remembered."""
    found = compare(
        wanted(Wanted("https://x/a.jpg", "A", 0, True)),
        [there(7, "a__12345.jpg", 0, thumbnail=True, text="A")],
        {},
        delete_extra=True,
        model=READING,
    )
    assert not found.changes
    assert found.identities == {"https://x/a.jpg": (7, None)}


def test_the_ledger_wins_over_the_name() -> None:
    """A remembered id is the image, whatever its file is called; the other image of that name is surplus."""
    found = compare(
        wanted(Wanted("https://x/a.jpg")),
        [there(7, "a__12345.jpg"), there(8, "lost-name__11111.jpg")],
        {"https://x/a.jpg": (8, None)},
        delete_extra=True,
        model=READING,
    )
    assert found.matches == {0: 8}
    assert found.changes.deletes == [7]


def test_an_id_that_the_listing_no_longer_shows_is_forgotten() -> None:
    """Somebody deleted it: the image is wanted again, and made again."""
    memory: IdentityMap = {"https://x/a.jpg": (8, None)}
    found = compare(wanted(Wanted("https://x/a.jpg")), [], memory, delete_extra=True, model=READING)
    assert [create.row for create in found.changes.creates] == [0]
    assert found.identities == {}


def test_sources_of_one_name_are_paired_in_order() -> None:
    """Two folders with the same file name: first with first, second with second."""
    found = compare(
        wanted(Wanted("https://x/1/a.jpg", sort_order=0), Wanted("https://x/2/a.jpg", sort_order=1)),
        [there(8, "a__22222.jpg", 1), there(9, "a__11111.jpg", 0)],
        {},
        delete_extra=True,
        model=READING,
    )
    assert found.matches == {0: 9, 1: 8}
    assert not found.changes


def test_a_doubled_image_is_surplus_to_sync_and_left_by_migrate() -> None:
    """A second image with the name of a wanted one can't hide from a job that mirrors."""
    present = [there(7, "a__12345.jpg"), there(8, "a__54321.jpg")]
    for mirror, deletes in ((True, [8]), (False, [])):
        found = compare(wanted(Wanted("https://x/a.jpg")), present, {}, delete_extra=mirror, model=READING)
        assert found.changes.deletes == deletes


def test_a_field_that_is_left_out_is_not_managed() -> None:
    """No description, order or flag in the manifest: none is compared and none is written."""
    found = compare(
        wanted(Wanted("https://x/a.jpg")),
        [there(7, "a__12345.jpg", 9, thumbnail=True, text="anything")],
        {},
        delete_extra=True,
        model=READING,
    )
    assert not found.changes


def test_an_empty_description_is_asked_for_and_a_missing_one_is_not() -> None:
    """An empty string clears; leaving the field out does not."""
    present = [there(7, "a__12345.jpg", text="old")]
    found = compare(wanted(Wanted("https://x/a.jpg", "")), present, {}, delete_extra=True, model=READING)
    assert [update.fields for update in found.changes.updates] == [{"description": ""}]
    assert [update.before for update in found.changes.updates] == [{"description": "old"}]


def test_a_thumbnail_that_moves_costs_one_update() -> None:
    """Setting the new one clears the old one by itself."""
    found = compare(
        wanted(Wanted("https://x/a.jpg", is_thumbnail=False), Wanted("https://x/b.jpg", is_thumbnail=True)),
        [there(7, "a__12345.jpg", thumbnail=True), there(8, "b__12345.jpg")],
        {},
        delete_extra=True,
        model=READING,
    )
    assert [(u.image_id, u.fields) for u in found.changes.updates] == [(8, {"is_thumbnail": True})]
    assert found.changes.recheck


def test_all_fields_of_an_image_go_in_one_update_in_ascending_order() -> None:
    """One PUT an image, from the lowest sort order upwards."""
    found = compare(
        wanted(
            Wanted("https://x/a.jpg", "A", 5), Wanted("https://x/b.jpg", "B", 3, True), Wanted("https://x/c.jpg", "C")
        ),
        [there(7, "a__12345.jpg", 1), there(8, "b__12345.jpg", 2), there(9, "c__12345.jpg", 0)],
        {},
        delete_extra=True,
        model=RenumberingModel(Renumbering.NONE),
    )
    assert [(u.image_id, u.fields) for u in found.changes.updates] == [
        (9, {"description": "C"}),
        (8, {"sort_order": 3, "description": "B", "is_thumbnail": True}),
        (7, {"sort_order": 5, "description": "A"}),
    ]


def test_new_bytes_behind_a_source_replace_the_image_and_keep_what_is_not_managed() -> None:
    """A version other than the recorded one: a create with the old fields, the old image deleted after it."""
    found = compare(
        wanted(Wanted("https://x/a.jpg", version="2")),
        [there(7, "a__12345.jpg", 4, thumbnail=True, text="kept")],
        {"https://x/a.jpg": (7, "1")},
        delete_extra=True,
        model=READING,
    )
    (create,) = found.changes.creates
    assert create.replaces == 7
    assert create.fields == {"description": "kept", "sort_order": 4, "is_thumbnail": True}
    assert found.changes.deletes == [7]
    assert found.identities == {"https://x/a.jpg": (7, "1")}


def test_migrate_names_what_it_would_have_to_replace_and_leaves_it() -> None:
    """It never deletes, so an outdated image stays, and is told."""
    found = compare(
        wanted(Wanted("https://x/a.jpg", version="2")),
        [there(7, "a__12345.jpg")],
        {"https://x/a.jpg": (7, "1")},
        delete_extra=False,
        model=READING,
    )
    assert not found.changes
    assert found.outdated == [0]


def test_a_replacement_leaves_the_thumbnail_to_the_image_that_asks_for_it() -> None:
    """The replaced image had it and its row doesn't care: the other row's claim is not overridden by what is taken over."""
    changes = compare(
        wanted(Wanted("https://x/a.jpg", version="2"), Wanted("https://x/b.jpg", is_thumbnail=True)),
        [there(7, "a__12345.jpg", thumbnail=True)],
        {"https://x/a.jpg": (7, "1")},
        delete_extra=True,
        model=READING,
    ).changes
    assert {create.row: create.fields.get("is_thumbnail") for create in changes.creates} == {0: False, 1: True}


def test_a_version_never_recorded_before_is_just_recorded() -> None:
    """Nothing tells which bytes are there, so nothing is replaced."""
    found = compare(
        wanted(Wanted("https://x/a.jpg", version="2")),
        [there(7, "a__12345.jpg")],
        {},
        delete_extra=True,
        model=READING,
    )
    assert not found.changes
    assert found.identities == {"https://x/a.jpg": (7, "2")}


def test_a_replaced_image_that_outlived_the_new_one_is_not_taken_for_it() -> None:
    """The delete of the old one was refused, then somebody took the new one away: its bytes are known to be old."""
    product = wanted(Wanted("https://x/a.jpg", version="2"))
    old = there(7, "a__12345.jpg")
    changes = compare(product, [old], {"https://x/a.jpg": (7, "1")}, delete_extra=True, model=READING).changes
    batch = ProductPlan(product, [old], changes, {"https://x/a.jpg": (7, "1")})
    memory = identities_after(batch, ProductLedger(made={8: 0}))
    assert memory["https://x/a.jpg"] == (8, "2")
    found = compare(product, [old], memory, delete_extra=True, model=READING)
    assert ([create.replaces for create in found.changes.creates], found.changes.deletes) == ([7], [7])
    assert set(identities_after(batch, ProductLedger(made={8: 0}, deleted={7}))) == {"https://x/a.jpg"}


@pytest.mark.parametrize("post", [None, False, True], ids=["unknown", "POST moves nothing", "POST moves siblings"])
@pytest.mark.parametrize("asked", [None, 9], ids=["none managed", "one managed"])
def test_replaced_images_keep_their_order_among_those_that_are_not_managed(
    post: bool | None, asked: int | None
) -> None:
    """Each replacement takes the place of its old image, with and without shifts on POST."""
    sources = [f"https://x/{name}.jpg" for name in "abcde"]
    present = [there(7 + k, f"{name}__12345.jpg", k) for k, name in enumerate("abcde")]
    memory: IdentityMap = {source: (7 + k, "1") for k, source in enumerate(sources)}
    images = [Wanted(source, version="2" if k in (0, 2, 3) else "1") for k, source in enumerate(sources)]
    images[4].sort_order = asked
    reading = RenumberingModel(Renumbering.RAISED, post)
    for moves in (False, True) if post is None else (post,):
        found = compare(wanted(*images), present, memory, delete_extra=True, model=reading)
        after, now = carried_out(wanted(*images), present, found, RenumberingModel(Renumbering.RAISED, moves))
        place = {image.image_id: (image.sort_order, image.image_id) for image in after}
        ids = [now[source][0] for source in sources]
        assert sorted(ids, key=place.__getitem__) == ids
        assert asked is None or post is None or place[ids[4]][0] == asked


names = st.sampled_from(["a", "b", "c", "d", "e"])
wanted_images = st.lists(
    st.builds(
        Wanted,
        image_file=st.builds("https://x/{}/{}.jpg".format, st.integers(0, 2), names),
        description=st.none() | st.sampled_from(["", "x", "y"]),
        sort_order=st.none() | st.integers(0, 5),
        is_thumbnail=st.none() | st.just(False),
    ),
    max_size=6,
    unique_by=lambda image: image.image_file,
)
present_images = st.lists(
    st.builds(
        StoredImage,
        image_id=st.integers(1, 40),
        image_file=st.builds("a/123/{}__{:05d}.jpg".format, names, st.integers(0, 99999)),
        description=st.sampled_from(["", "x"]),
        sort_order=st.integers(0, 5),
    ),
    max_size=6,
    unique_by=lambda image: image.image_id,
)


@pytest.mark.parametrize("post", [False, True], ids=["POST moves nothing", "POST moves siblings"])
@pytest.mark.parametrize("renumbering", list(Renumbering), ids=lambda r: r.value)
@given(images=wanted_images, present=present_images, thumbnail=st.integers(0, 7), flagged=st.integers(0, 7))
@settings(max_examples=400, deadline=None)
def test_a_plan_carried_out_leaves_nothing_to_plan(
    renumbering: Renumbering, post: bool, images: list[Wanted], present: list[StoredImage], thumbnail: int, flagged: int
) -> None:
    """Applying a plan to a model store and planning again gives nothing, whatever the store's renumbering."""
    reading = RenumberingModel(renumbering, post)
    if thumbnail < len(images):
        images[thumbnail].is_thumbnail = True
    if flagged < len(present):
        present[flagged].is_thumbnail = True
    product = WantedProduct(1, images, 1)
    memory: IdentityMap = {}
    for mirror in (True, False):
        found = compare(product, present, memory, delete_extra=mirror, model=reading)
        after, memory = carried_out(product, present, found, reading)
        assert not compare(product, after, memory, delete_extra=mirror, model=reading).changes


def carried_out(product: WantedProduct, present: list[StoredImage], found, reading: RenumberingModel):
    """A model store: creates, updates and deletes in order, one thumbnail, renumbering by the reading."""
    gallery = {
        image.image_id: StoredImage(**{name: getattr(image, name) for name in StoredImage.__slots__})
        for image in present
    }
    memory = dict(found.identities)

    def flag(image_id: int) -> None:
        for image in gallery.values():
            image.is_thumbnail = image.image_id == image_id

    for create in found.changes.creates:
        image_id = max(gallery, default=100) + 1
        source = product.images[create.row].image_file
        fields = create.fields
        if reading.on_create and "sort_order" in fields:
            orders = {each.image_id: each.sort_order for each in gallery.values()}
            make_room(orders, fields["sort_order"])
            for each, order in orders.items():
                gallery[each].sort_order = order
        gallery[image_id] = StoredImage(
            image_id, source.rpartition("/")[2], fields.get("description", ""), fields.get("sort_order", 0), False
        )
        if fields.get("is_thumbnail"):
            flag(image_id)
        memory[source] = (image_id, None)
    for update in found.changes.updates:
        image = gallery[update.image_id]
        image.description = update.fields.get("description", image.description)
        if "sort_order" in update.fields:
            orders = {each.image_id: each.sort_order for each in gallery.values()}
            put(orders, update.image_id, update.fields["sort_order"], reading.on_update)
            for image_id, order in orders.items():
                gallery[image_id].sort_order = order
        if "is_thumbnail" in update.fields:
            flag(update.image_id) if update.fields["is_thumbnail"] else setattr(image, "is_thumbnail", False)
    for image_id in found.changes.deletes:
        del gallery[image_id]
    return list(gallery.values()), memory
