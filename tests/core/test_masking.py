"""User and password in addresses are masked, and nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageferry.core.masking import all_masked, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:pw@h.example.com/a.jpg", "https://***@h.example.com/a.jpg"),
        ("https://user@h.example.com/a.jpg", "https://***@h.example.com/a.jpg"),
        ("400: could not read 'ftp://u:p%40w@h/x', sorry", "400: could not read 'ftp://***@h/x', sorry"),
        ("//u:p@ss@h/x?a=b@c", "//***@h/x?a=b@c"),
        ("https://h.example.com/@2x/a@b.jpg", "https://h.example.com/@2x/a@b.jpg"),
        ("https://h.example.com?mail=a@b", "https://h.example.com?mail=a@b"),
        ("https://h.example.com, or write to a@b.com", "https://h.example.com, or write to a@b.com"),
        ("a@b.com", "a@b.com"),
    ],
)
def test_what_stands_between_the_slashes_and_the_host_is_masked(text: str, shown: str) -> None:
    """Path, query and other text keep their at signs."""
    assert masked(text) == shown
    assert all_masked({"a": [text, 5, None, {"b": text}]}) == {"a": [shown, 5, None, {"b": shown}]}


@given(st.text(st.characters(exclude_characters="/?#@", exclude_categories=["Cs", "Z", "C"]), min_size=8, max_size=12))
def test_no_password_is_left(password: str) -> None:
    """Whatever letters it has, before and after."""
    assert password not in masked(f"x https://shop:{password}@h.example.com/a.jpg y").replace("https:", "")
