"""What an export writes: JSON that a terminal can be shown, and the same values for whoever reads it."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exporter import tame

NASTY = [
    "\x7f",
    "\x9b31m",
    "\x85",
    "\u202egpj",
    "\u2066x\u2069",
    "\u200b\u2028",
    "\ufeff",
    "\ufff9",
    "\U000e0041",
    "\ue000",
]


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_what_a_terminal_might_obey_is_escaped(text: str) -> None:
    """DEL, C1, bidi controls, invisible and private letters, on either side of 65,536."""
    line = tame(orjson.dumps({"description": f"a{text}ü漢🙂"}))
    assert line.decode().isprintable()
    assert "ü漢🙂" in line.decode()
    assert orjson.loads(line) == json.loads(line) == {"description": f"a{text}ü漢🙂"}


@given(
    st.dictionaries(
        st.text(), st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\"\x1b\x7f\x9b\u202e'))
    )
)
def test_an_escaped_line_has_the_values_that_it_had(row: dict[str, str]) -> None:
    """Whatever the texts are."""
    line = orjson.dumps(row)
    assert orjson.loads(tame(line)) == row
    assert tame(line).decode().isprintable()
    assert (tame(line) == line) == line.decode().isprintable()
