"""Ambiguous manifests are rejected: repeated keys, one address in two spellings, numbers in other forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageferry.core.manifest.csv_rows import CsvRows
from imageferry.core.manifest.json_lines import JsonLines
from imageferry.core.source_addresses import address

if TYPE_CHECKING:
    from imageferry.core.errors import Fault

IMAGE = '{"image_file": "https://h/a.jpg", "description": "d", "sort_order": 1, "is_thumbnail": true, "version": "1"}'


def judged(line: str, form: type[JsonLines | CsvRows] = JsonLines, *, records: bool = False) -> tuple[int, list[Fault]]:
    """Return the number of valid products and the errors; `records`: as for an unsorted manifest."""
    faults: list[Fault] = []
    reader = form(faults, lambda _: None)
    numbered = [(n, each) for n, each in enumerate(line.encode().splitlines(keepends=True), 1)]
    return len(list(reader.to_records(numbered) if records else reader.check(numbered))), faults


TWICE = {
    "the product id": ('{"product_id": 1, "product_id": 2, "images": []}', "product_id"),
    "the product id, behind": ('{"product_id": 1, "images": [], "product_id": 2}', "product_id"),
    "the images": (f'{{"product_id": 1, "images": [{IMAGE}], "images": []}}', "images"),
    "the images, none twice": ('{"product_id": 1, "images": [], "images": []}', "images"),
    **{
        name: (f'{{"product_id": 1, "images": [{IMAGE[:-1]}, {more}}}]}}', f"images[0].{name}")
        for name, more in {
            "image_file": '"image_file": "https://h/b.jpg"',
            "description": '"description": "e"',
            "sort_order": '"sort_order": 2',
            "is_thumbnail": '"is_thumbnail": false',
            "version": '"version" :"2"',
        }.items()
    },
    "with escapes": (r'{"product_id": 1, "images": [{"image_file": "https:\/\/h\/a.jpg", "image\u005ffile": "b \\\" c"}]}', "images[0].image_file"),
    "a value dropped that held more": ('{"product_id": 1, "images": {"a": 1}, "images": []}', "images"),
}  # fmt: skip


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize(("line", "field"), TWICE.values(), ids=TWICE)
def test_a_key_that_stands_twice_in_an_object_is_an_error(line: str, field: str, *, records: bool) -> None:
    """On every path of the reader, with its place; nothing is taken of such a line."""
    good, faults = judged(line + "\n", records=records)
    assert good == 0
    assert (field, "occurs twice in one object") in [(fault.field, fault.reason) for fault in faults]


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={"description": st.text(), "version": st.text(), "sort_order": st.integers(0, 9)}
        ),
        max_size=4,
    ),
    st.sampled_from([None, orjson.OPT_INDENT_2]),
)
def test_a_line_without_a_key_twice_is_good_whatever_its_texts_hold(
    images: list[dict[str, object]], option: int | None
) -> None:
    """Quotes, backslashes, colons and brackets in texts are no keys."""
    rows = [{"image_file": f"https://h/{n}.jpg", **image} for n, image in enumerate(images)]
    line = orjson.dumps({"product_id": 1, "images": rows}, option=option).replace(b"\n", b" ").decode()
    for each in (line, line.replace("/", r"\/")):
        assert judged(each + "\n") == (1, [])


SPELLINGS = [
    "HTTPS://h.example.com/p/a.jpg",
    "https://H.Example.com/p/a.jpg",
    "https://h.example.com:443/p/a.jpg",
    "https://h.example.com/p/./a.jpg",
    "https://h.example.com/p/x/../a.jpg",
    "https://h.example.com/p/a.jpg#top",
    "https://h.example.com/p/%61.jpg",
    "https://h.example.com/%70/a%2Ejpg",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_address_in_two_spellings_is_the_same_image_file_twice(spelling: str) -> None:
    """The error names both spellings, in JSON Lines and CSV, whichever comes first."""
    plain = "https://h.example.com/p/a.jpg"
    assert address(spelling) == plain
    for first, second in ((plain, spelling), (spelling, plain)):
        other = "https://h.example.com/p/0.jpg"
        images = [{"image_file": other}, {"image_file": first}, {"image_file": second}]
        good, faults = judged(orjson.dumps({"product_id": 1, "images": images}).decode() + "\n")
        assert (good, [fault.field for fault in faults]) == (0, ["images[2].image_file"])
        assert plain in faults[0].reason
        assert spelling in faults[0].reason
        _, faults = judged(f"product_id,image_file\n1,{other}\n1,{first}\n1,{second}\n", CsvRows)
        assert [(fault.line, fault.field) for fault in faults] == [(4, "image_file")]
        assert plain in faults[0].reason
        assert spelling in faults[0].reason


@pytest.mark.parametrize(
    "other",
    [
        "http://h.example.com/p/a.jpg",
        "https://h.example.com:8443/p/a.jpg",
        "https://h.example.com/P/a.jpg",
        "https://h.example.com/p/a.jpg?v=1",
        "https://h.example.com/p%2Fa.jpg",
        "https://h.example.com/p/a.jpg/",
        "https://h.example.com/p//a.jpg",
    ],
)
def test_what_may_be_another_picture_is_another_address(other: str) -> None:
    """Nothing is taken for one spelling that a host may answer otherwise."""
    images = [{"image_file": "https://h.example.com/p/a.jpg"}, {"image_file": other}]
    assert judged(orjson.dumps({"product_id": 1, "images": images}).decode() + "\n") == (1, [])


@settings(deadline=None)
@given(st.text(max_size=60))
def test_an_address_is_spelled_once(text: str) -> None:
    """Spelling it again changes nothing, and no text is too odd."""
    for image_file in (text, f"https://h/{text}", f"import:{text}"):
        assert address(address(image_file)) == address(image_file)


@pytest.mark.parametrize("cell", ["007", "0", "00", " 012 "])
def test_a_product_id_with_zeros_before_it_looks_like_a_sku(cell: str) -> None:
    """007 is not product 7: refused, with the hint."""
    good, faults = judged(f"product_id,image_file\n{cell},https://h/a.jpg\n", CsvRows)
    assert (good, [fault.field for fault in faults]) == (0, ["product_id"])
    assert ("SKU" in faults[0].reason) == (cell != "0")


def test_a_sort_order_may_have_zeros_before_it() -> None:
    """There it can mean nothing else."""
    assert judged("product_id,image_file,sort_order\n7,https://h/a.jpg,007\n", CsvRows) == (1, [])
