"""Names: both sides of the store's renaming come down to the same stem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageferry.core.image_files import base_name, basename, folded_name, kind

SAME = {
    "url and stored name": ("https://old.example.com/img/Front.JPG", "p/022/Front__36562.jpg"),
    "stacked suffixes": ("https://x.example/a__83011.jpg", "a/521/a__83011__60806.jpg"),
    "unsafe characters": ("https://x.example/download%20(2).png", "o/871/download__2___69350.png"),
    "forty hex digits before it": ("pics/download.png", f"o/871/{'0a' * 20}_download__69350.png"),
    "a CDN copy brought back": (
        "https://cdn11.example.com/s-x/products/1/images/9/towel__83011.1393831046.1280.1280.jpg?c=1",
        "a/521/towel__83011.1393831046.1280.1280__60806.jpg",
    ),
    "a CDN original": ("https://cdn/s-x/images/stencil/original/products/1/9/towel__83011.1393831046.jpg", "towel.jpg"),
    "a copy of a copy": ("towel.jpg", "a/521/towel__83011.1393831046.1280.1280__60806.jpg"),
    "query and fragment": ("https://x.example/a.png?size=2/3#top", "q/111/a__12345.png"),
    "import name": ("import:Box 1.gif", "b/001/Box_1__00001.gif"),
    "local path": ("photos/summer/box.webp", "b/001/box__00001.webp"),
    "no extension": ("https://x.example/picture", "p/123/picture__12345"),
}


@pytest.mark.parametrize(("source", "stored"), SAME.values(), ids=SAME.keys())
def test_a_source_and_what_the_store_made_of_it_have_one_stem(source: str, stored: str) -> None:
    """Whatever the store adds, and whatever the source's address adds, is taken off."""
    assert base_name(source) == base_name(stored)


def test_the_case_of_a_name_is_kept_and_that_of_its_extension_is_not() -> None:
    """`England.JPG` and `england.jpg` are two pictures, `England.JPG` and `England.jpg` are one."""
    assert base_name("England.JPG") == base_name("a/001/England__11111.jpg")
    assert base_name("England.jpg") != base_name("england.jpg")


def test_a_stem_is_never_empty_where_the_name_is_not() -> None:
    """A name that looks like nothing but a suffix stays as it is."""
    assert base_name("__12345.jpg") == "__12345.jpg"
    assert base_name(f"{'a' * 40}_.jpg") == f"{'a' * 40}_.jpg"


def test_folding_underscores_bridges_what_a_store_makes_of_one_unsafe_character() -> None:
    """One underscore a character or one a byte: the folded stems agree."""
    assert folded_name(base_name("https://x.example/caf%C3%A9.jpg")) == folded_name("caf__.jpg")


@given(st.text(max_size=60))
def test_any_text_has_a_stem_and_the_stem_of_a_stem_is_itself_once_folded(text: str) -> None:
    """No input raises, and nothing is taken off twice that was not there."""
    assert isinstance(base_name(text), str)
    assert "/" not in basename(text)


@pytest.mark.parametrize(
    ("image_file", "expected"),
    [
        ("https://x/a.png", "url"),
        ("http://x/a.png", "url"),
        ("HtTpS://x/a.png", "url"),
        ("import:a.png", "import"),
        ("dir/a.png", "file"),
        ("//store/7", "gone"),
    ],
    ids=["https", "http", "mixed case", "import", "file", "gone"],
)
def test_how_an_image_reaches_the_store_is_told_by_its_beginning(image_file: str, expected: str) -> None:
    """A URL, a name in the import folder, or a local picture."""
    assert kind(image_file) == expected
