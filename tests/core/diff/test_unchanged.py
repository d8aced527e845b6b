"""The quick look says yes only where the diff would find nothing to do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageferry.core.diff.compare import compare
from imageferry.core.diff.renumbering import RenumberingModel
from imageferry.core.diff.unchanged import is_unchanged
from imageferry.core.identities import IdentityMap, OwnValues, known_image
from imageferry.core.model import StoredImage, Wanted, WantedProduct

NAMES = ["a", "b", "c d", "e__11111", "f" * 41, "g" * 70, "é", "%41", "_"]


@st.composite
def nearly_as_asked(draw: st.DrawFn) -> tuple[list[Wanted], list[StoredImage], IdentityMap]:
    """A gallery made from its manifest, with a few things off."""
    count = draw(st.integers(0, 5))
    orders = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    orders = sorted(orders) if draw(st.booleans()) else orders
    wanted, present = [], []
    memory: IdentityMap = {}
    for index in range(count):
        name = draw(st.sampled_from(NAMES))
        text = draw(st.none() | st.sampled_from(["", "x"]))
        flag = draw(st.none() | st.booleans())
        order = draw(st.sampled_from([orders[index], None]))
        query = draw(st.sampled_from(["", "", "?v=1", "?sig=1", "?sig=2"]))
        folder = draw(st.integers(0, 1))
        ending = draw(st.sampled_from([".jpg", ".jpg", ".jpg", ".jpeg", ".jfif", ".php", ""]))
        image = Wanted(
            f"https://x/{folder}/{name}{ending}{query}", text, order, flag, draw(st.sampled_from([None, "1"]))
        )
        wanted.append(image)
        stored = draw(st.sampled_from([name, name, name, "z"]))
        there = StoredImage(index + 1, f"a/123/{stored}__12345.jpg", text or "", order or 0, bool(flag))
        if draw(st.integers(0, 9)) == 0:
            there.description += "!"
        present.append(there)
        if draw(st.booleans()):
            version = draw(st.sampled_from([image.version, "2"]))
            own: OwnValues = (
                {"description": ("x", "x!"), "sort_order": (order, 0)} if draw(st.integers(0, 4)) == 0 else {}
            )
            memory[image.image_file] = known_image(index + 1, version, own)
    if draw(st.booleans()):
        present = draw(st.permutations(present))
    return wanted, present, memory


@given(case=nearly_as_asked())
@settings(max_examples=1500, deadline=None)
def test_a_glance_never_overlooks_what_the_diff_would_change(
    case: tuple[list[Wanted], list[StoredImage], IdentityMap],
) -> None:
    """Yes from the glance: no changes, nothing outdated, and the same memory from the diff, whatever the job."""
    wanted, present, memory = case
    if len({image.image_file for image in wanted}) < len(wanted):
        return
    learned = is_unchanged(wanted, present, memory)
    if learned is None:
        return
    for mirror in (True, False):
        found = compare(WantedProduct(1, wanted, 1), present, memory, delete_extra=mirror, model=RenumberingModel())
        assert not found.changes
        assert not found.own
        assert not found.outdated
        assert found.identities == learned


@pytest.mark.parametrize(
    "stored",
    [
        "a/123/b__1234.jpg",
        "a/123/b__123456.jpg",
        "a/123/b__١٢٣٤٥.jpg",
        "a/123/b__²²²²².jpg",
        "a/1234/b__12345.jpg",
        "b__12345.jpg",
    ],
    ids=["four digits", "six", "not of ASCII", "raised", "another folder", "no folder"],
)
def test_a_glance_takes_no_name_that_the_store_would_not_have_made(stored: str) -> None:
    """A name other than the store's plain renaming is left to `compare`."""
    assert is_unchanged([Wanted("https://x/b.jpg")], [StoredImage(1, "a/123/b__12345.jpg")], {}) is not None
    assert is_unchanged([Wanted("https://x/b.jpg")], [StoredImage(1, stored)], {}) is None


def test_a_glance_sees_through_the_plainest_cases() -> None:
    """The two cases it is there for: all remembered, and all of plain names in order."""
    wanted = [Wanted(f"https://x/{n}.jpg", "t", n, n == 0) for n in range(3)]
    present = [StoredImage(n + 1, f"a/123/{n}__12345.jpg", "t", n, n == 0) for n in range(3)]
    learned = is_unchanged(wanted, present, {})
    assert learned is not None
    assert is_unchanged(wanted, present, learned) is learned
