"""What an export writes: JSON that a terminal can be shown, and the same values for whoever reads it."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageferry.core.manifest.writer import Writer, fits, tame
from imageferry.disk.manifest.reader import check_manifest

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


NAMES = ["x.jsonl", "x.ndjson", "x.json", "x", "x.csv", "x.JSONL.GZ", "x.csv.gz", "x.gz"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('",;\n\r\t\x00\ufeff=')).map(
    lambda text: text[:200]
)
IMAGE = st.fixed_dictionaries(
    {
        "description": TEXTS,
        "sort_order": st.integers(-(2**31), 2**31 - 1),
        "is_thumbnail": st.just(False),
    }
)


@pytest.mark.parametrize("name", NAMES)
@given(galleries=st.lists(st.lists(IMAGE, min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_an_export_writes_is_read_back_equal_in_every_format(
    tmp_path_factory: pytest.TempPathFactory, name: str, galleries: list[list[dict[str, Any]]]
) -> None:
    """By the reader of manifests, from a file of that name; a CSV leaves out a description that is empty, and counts it."""
    folder = tmp_path_factory.mktemp("written")
    galleries[0][0]["is_thumbnail"] = True
    for rows in galleries:
        for number, row in enumerate(rows):
            row["image_file"] = f"https://cdn.example.com/a,b;{number}.jpg?x=1&y=2"
    writer = Writer(name)
    made = [writer.begin()]
    made += [writer.pack(writer.product(number, rows)) for number, rows in enumerate(galleries, 1)]
    (folder / name).write_bytes(b"".join([*made, writer.end()]))
    empty = None if ".csv" in name else ""
    with check_manifest(folder / name, files=folder, spool=folder / "spool") as manifest:
        read = [
            [(i.image_file, i.description, i.sort_order, i.is_thumbnail) for i in product.images]
            for product in manifest.read()
        ]
    assert read == [
        [(row["image_file"], row["description"] or empty, row["sort_order"], row["is_thumbnail"]) for row in rows]
        for rows in galleries
    ]
    assert writer.without_text == (
        0 if empty == "" else sum(not row["description"] for rows in galleries for row in rows)
    )
    assert (folder / name).read_bytes().startswith(b"\x1f\x8b") == name.lower().endswith(".gz")


@pytest.mark.parametrize("name", ["x.xlsx", "x.csv.zip", "x.tsv", "x.zst", "x.jsonl.bz2", "x.plan"])
def test_a_name_that_says_another_format_fits_none(name: str) -> None:
    """What is written under it would be read as something else."""
    assert not fits(name)
    assert all(map(fits, NAMES))
