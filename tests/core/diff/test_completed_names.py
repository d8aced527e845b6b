"""Names that the store has to complete, or cuts: which readings are taken for the same name, and which never are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageferry.core.checkpoint.events import sent
from imageferry.core.checkpoint.ledger import Ledger
from imageferry.core.diff.changes import Changes, Create
from imageferry.core.diff.compare import compare
from imageferry.core.diff.renumbering import RenumberingModel
from imageferry.core.image_files import likeness, same_name
from imageferry.core.model import StoredImage, Wanted, WantedProduct
from imageferry.core.plan.batch import ProductPlan
from imageferry.core.reconcile.doubts import match_unconfirmed
from imageferry.jobs.sandbox.shop.file_names import mix, source_name, source_query, stored_name

LONG = "long-" * 40
SOURCES = {
    "query": "https://h.example.com/media?id=7",
    "program": "https://h.example.com/image.php?file=7",
    "program without a query": "https://h.example.com/a/picture.ashx",
    "jfif": "https://h.example.com/photo.jfif",
    "tif": "https://h.example.com/photo.tif",
    "heic": "https://h.example.com/IMG_0001.HEIC",
    "size after a colon": "https://h.example.com/photo.jpg:large",
    "style after a mark": "https://h.example.com/x.jpg!d",
    "parameters in the path": "https://h.example.com/x.jpg/w=800",
    "a file in the query": "https://h.example.com/media?file=a.jpg",
    "two hundred letters": f"https://h.example.com/{LONG}.jpg",
    "two hundred letters of a program": f"https://h.example.com/{LONG}.php",
    "local file": "pictures/photo.jfif",
    "import name": "import:photo.tiff",
    "letters outside ASCII": "https://h.example.com/%C3%A4hnlich.jfif",
}
WAYS = ("replaced", "appended", "underscored", "kept", "queried")


def as_stored(source: str, way: str, number: int, *, longest: int = 190) -> str:
    """Return the sandbox's stored name of a source."""
    name = source_name(source.removeprefix("import:"))
    return stored_name(name, "jpg", mix(1, number), completed=way, query=source_query(source), longest=longest)


@pytest.mark.parametrize("longest", [190, 100, 60])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_however_a_store_completes_or_cuts_a_name_it_is_the_same_name(source: str, way: str, longest: int) -> None:
    """Nothing is made and nothing deleted where nothing but the name tells which image it is."""
    stored = as_stored(source, way, 1, longest=longest)
    assert same_name(source, stored), stored
    found = compare(
        WantedProduct(1, [Wanted(source)], 1),
        [StoredImage(1, stored)],
        {},
        delete_extra=True,
        model=RenumberingModel(),
    )
    assert found.matches == {0: 1}
    assert not found.changes


@pytest.mark.parametrize(
    ("source", "stored"),
    [
        ("https://h/photo.jpg", "a/123/photo2__12345.jpg"),
        ("https://h/photo.jfif", "a/123/photos__12345.jpg"),
        ("https://h/media?id=7", "a/123/media_id_8__12345.jpg"),
        ("https://h/photo.png", "a/123/photo.png_x__12345.png"),
        ("https://h/front-view-2.jpg", "a/123/front-view__12345.jpg"),
        (f"https://h/{LONG}2.jpg", f"a/123/{LONG}3__12345.jpg"),
        (f"https://h/{LONG}2.jpg", f"a/123/{LONG}__12345.png"),
    ],
)
def test_another_name_stays_another(source: str, stored: str) -> None:
    """A name that is kept is compared whole; a short name is never taken for a cut one."""
    assert not same_name(source, stored)
    assert not compare(
        WantedProduct(1, [Wanted(source)], 1),
        [StoredImage(1, stored)],
        {},
        delete_extra=False,
        model=RenumberingModel(),
    ).matches


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_likeness_is_total(source: str, stored: str) -> None:
    """Whatever stands there, an answer comes."""
    assert likeness(source, stored) is None or likeness(source, stored) in range(10)


def test_the_closer_name_wins_whatever_the_order_of_the_rows() -> None:
    """`photo.jpg` and `photo.tif` of one product are told apart by the name that needs no completing."""
    wanted = [Wanted("https://h/photo.tif"), Wanted("https://h/photo.jpg")]
    present = [StoredImage(1, "a/123/photo__12345.jpg")]
    found = compare(WantedProduct(1, wanted, 1), present, {}, delete_extra=True, model=RenumberingModel())
    assert found.matches == {1: 1}
    assert [create.row for create in found.changes.creates] == [0]


def test_what_is_known_to_be_another_source_is_not_taken_for_this_one() -> None:
    """`media?id=7` was dropped and `media?id=8` is new: its picture is made, and the old one goes."""
    wanted = [Wanted("https://h/media?id=8")]
    memory = {"https://h/media?id=7": (1, None)}
    present = [StoredImage(1, "a/123/media__12345.jpg")]
    found = compare(WantedProduct(1, wanted, 1), present, memory, delete_extra=True, model=RenumberingModel())
    assert [create.row for create in found.changes.creates] == [0]
    assert found.changes.deletes == [1]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("https://h/media?id=7&sig=abc", "https://h/media?id=7&sig=def"),
        ("https://h/media?X-Amz-Date=1&X-Amz-Signature=a", "https://h/media?X-Amz-Date=2&X-Amz-Signature=b"),
        (
            "https://h/p.jfif?Expires=1&Signature=a&Key-Pair-Id=k",
            "https://h/p.jfif?Expires=2&Signature=b&Key-Pair-Id=k",
        ),
        ("https://h/media?id=7", "https://other/m/media?id=7"),
        ("https://h/media?id=7", "https://H:443/./media?id=7#top"),
        ("https://h/a/photo.jpg?token=1", "https://h/a/photo.jpg?token=2"),
    ],
)
def test_a_new_signature_or_spelling_is_the_same_source(before: str, now: str) -> None:
    """Nothing is replaced, and it is known under its new address from then on, with the version of its bytes."""
    other = Wanted("https://h/media?id=8")
    memory = {before: (1, "v1"), other.image_file: (2, None)}
    present = [StoredImage(1, "a/123/media__12345.jpg"), StoredImage(2, "a/123/media__12346.jpg")]
    found = compare(
        WantedProduct(1, [Wanted(now, version="v1"), other], 1),
        present,
        memory,
        delete_extra=True,
        model=RenumberingModel(),
    )
    assert not found.changes
    assert found.identities == {now: (1, "v1"), other.image_file: (2, None)}
    changed = compare(
        WantedProduct(1, [Wanted(now, version="v2"), other], 1),
        present,
        memory,
        delete_extra=True,
        model=RenumberingModel(),
    )
    same_address = before.rpartition("/")[0].lower() == now.rpartition("/")[0].lower().replace(":443/.", "")
    assert [create.replaces for create in changed.changes.creates] == ([1] if same_address else [])


def test_one_image_known_under_two_spellings_is_still_known() -> None:
    """A run that was gone on with remembers an image under the signatures of two nights."""
    memory = {"https://h/p.jfif?sig=1": (1, None), "https://h/p.jfif?sig=2": (1, None)}
    wanted = [Wanted("https://h/p.jfif?sig=3")]
    found = compare(
        WantedProduct(1, wanted, 1),
        [StoredImage(1, "a/123/x__12345.jpg")],
        memory,
        delete_extra=True,
        model=RenumberingModel(),
    )
    assert (found.matches, bool(found.changes)) == ({0: 1}, False)


def test_rows_of_one_name_are_paired_by_what_their_fields_tell() -> None:
    """Line order decides nothing where descriptions do, and nothing is guessed then."""
    wanted = [Wanted("https://h/media?id=7", "Back"), Wanted("https://h/media?id=8", "Front")]
    present = [
        StoredImage(1, "a/123/media__12345.jpg", "Front", 0),
        StoredImage(2, "a/123/media__12346.jpg", "Back", 1),
    ]
    found = compare(WantedProduct(1, wanted, 1), present, {}, delete_extra=True, model=RenumberingModel())
    assert found.matches == {0: 2, 1: 1}
    assert not found.changes
    assert not found.guessed


def test_a_pairing_that_the_fields_do_not_tell_is_a_guess() -> None:
    """Two images of one name and nothing to tell them by: paired in order, and said to be guessed."""
    wanted = [Wanted("https://h/media?id=7", "x"), Wanted("https://h/media?id=8", "y")]
    present = [StoredImage(1, "a/123/media__12345.jpg"), StoredImage(2, "a/123/media__12346.jpg")]
    found = compare(WantedProduct(1, wanted, 1), present, {}, delete_extra=True, model=RenumberingModel())
    assert found.matches == {0: 1, 1: 2}
    assert found.guessed == [0, 1]


def test_one_of_two_images_of_a_name_is_kept_by_its_fields() -> None:
    """The one that is as asked stays, the other is surplus: no write but the delete."""
    wanted = [Wanted("https://h/a.jpg", "Front", 5)]
    present = [StoredImage(1, "a/123/a__12345.jpg", "Old", 0), StoredImage(2, "a/123/a__12346.jpg", "Front", 5)]
    found = compare(WantedProduct(1, wanted, 1), present, {}, delete_extra=True, model=RenumberingModel())
    assert (found.matches, found.changes.deletes, found.changes.updates, found.guessed) == ({0: 2}, [1], [], [])


def test_a_gallery_that_moved_up_by_one_keeps_its_order() -> None:
    """Sort orders are no sign of identity by themselves: equal numbers there would swap two pictures."""
    wanted = [Wanted("https://h/1/a.jpg", sort_order=0), Wanted("https://h/2/a.jpg", sort_order=1)]
    present = [StoredImage(1, "a/123/a__12345.jpg", "", 1), StoredImage(2, "a/123/a__12346.jpg", "", 2)]
    found = compare(WantedProduct(1, wanted, 1), present, {}, delete_extra=True, model=RenumberingModel())
    assert found.matches == {0: 1, 1: 2}


def looked(source: str, newcomer: StoredImage, *, settled: bool, description: str | None = None) -> dict[int, int]:
    """Return the match of the only new image with the only unconfirmed create."""
    batch = ProductPlan(WantedProduct(1, [Wanted(source, description)], 1), [], Changes([Create(0, {})]), {})
    ledger = Ledger()
    ledger.apply(sent(1, "create:0", fields={}))
    return match_unconfirmed(batch, ledger.course(1), [newcomer], renames_files=False, settled=settled).found


@pytest.mark.parametrize(
    ("source", "newcomer", "settled", "found"),
    [
        ("https://h/media?id=7", StoredImage(5, "a/123/media__12345.jpg"), False, True),
        ("https://h/media?id=7", StoredImage(5, "a/123/0f3c9a__12345.jpg"), False, False),
        ("https://h/media?id=7", StoredImage(5, "a/123/0f3c9a__12345.jpg"), True, True),
        ("https://h/", StoredImage(5, "a/123/image__12345.jpg"), True, True),
        ("https://h/photo.jpg", StoredImage(5, "a/123/0f3c9a__12345.jpg"), True, False),
        ("https://h/media?id=7", StoredImage(5, "a/123/0f3c9a__12345.jpg", "Another"), True, False),
        ("https://h/media?id=7", StoredImage(5, "a/123/0f3c9a__12345.jpg", "Fron"), True, True),
    ],
    ids=["its name", "too early", "only newcomer", "no name", "a name that tells", "another's text", "its text, cut"],
)
def test_the_only_newcomer_is_taken_where_nothing_refutes_it(
    source: str, newcomer: StoredImage, *, settled: bool, found: bool
) -> None:
    """Once the time to settle is over, and only for a source whose name the store completes; a text of another's refutes it."""
    assert looked(source, newcomer, settled=settled, description="Front" if newcomer.description else None) == (
        {0: 5} if found else {}
    )
