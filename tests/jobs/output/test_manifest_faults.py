"""A manifest with one fault of each kind: each is named with its line and field, and the store hears nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..rehearsal import Rehearsal

URL = "https://old.example.com"
LINES: list[tuple[str, str | None]] = [
    ('{"product_id": 1, "images": [', None),
    ('{"product_id": 2, "images": [], "colour": "red"}', "colour"),
    (
        '{"product_id": 3, "images": [{"image_file": "https://old.example.com/a.png", "sort_order": "1"}]}',
        "images[0].sort_order",
    ),
    (
        '{"product_id": 4, "images": [{"image_file": "https://old.example.com/a.png", "description": null}]}',
        "images[0].description",
    ),
    (
        '{"product_id": 5, "images": [{"image_file": "https://old.example.com/a.png", "sort_order": 2147483648}]}',
        "images[0].sort_order",
    ),
    (
        (
            '{"product_id": 6, "images": [{"image_file": "https://old.example.com/a.png", "is_thumbnail": true}, '
            '{"image_file": "https://old.example.com/b.png", "is_thumbnail": true}]}'
        ),
        "images[1].is_thumbnail",
    ),
    (
        '{"product_id": 7, "images": [{"image_file": "https://old.example.com/a.png"}, {"image_file": "https://old.example.com/a.png"}]}',
        "images[1].image_file",
    ),
    (
        '{"product_id": 8, "images": [{"image_file": "LONG"}]}'.replace("LONG", f"{URL}/{'x' * 300}.png"),
        "images[0].image_file",
    ),
    (
        json.dumps({"product_id": 9, "images": [{"image_file": f"{URL}/{n}.png"} for n in range(1001)]}),
        "images",
    ),
    ('{"product_id": 10, "images": [{"image_file": "missing.png"}]}', "images[0].image_file"),
    ('{"product_id": 11, "images": [{"image_file": "big.png"}]}', "images[0].image_file"),
    ('{"product_id": 12, "images": [{"image_file": "page.png"}]}', "images[0].image_file"),
    ('{"product_id": 13, "images": [{"image_file": "../outside.png"}]}', "images[0].image_file"),
    ('{"product_id": 14, "images": []}', None),
    ('{"product_id": 14, "images": []}', "product_id"),
    ('{"product_id": 15, "ima', None),
]


def test_each_fault_is_named_with_its_line_and_field_and_nothing_is_sent(store: Rehearsal) -> None:
    """Not JSON, unknown field, wrong type, null, int32, two thumbnails, twice, too long, too many, pictures, cut end."""
    (store.folder / "big.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(8 * 1024 * 1024))
    (store.folder / "page.png").write_bytes(b"<html>not a picture</html>")
    manifest = store.folder / "faults.jsonl"
    manifest.write_text("\n".join(line for line, _ in LINES))
    calls = len(store.sandbox.log)
    result = store.run("sync", manifest, "--json")
    assert (result.code, result.record["outcome"]) == (2, "invalid")
    told = {(failure["line"], failure["field"]) for failure in result.record["failures"]}
    good = {14}
    expected = {(number, field) for number, (_, field) in enumerate(LINES, 1) if number not in good}
    assert told == expected
    for number, field in expected:
        place = f"{manifest}:{number}: " + (f"{field}: " if field else "")
        assert place in result.err, place
    assert len(store.sandbox.log) == calls


def test_no_product_at_all_is_a_fault_and_nothing_is_sent(store: Rehearsal) -> None:
    """An empty file would be a mass delete's twin: it is refused."""
    manifest = store.folder / "empty.jsonl"
    manifest.write_text("\n")
    calls = len(store.sandbox.log)
    assert store.run("sync", manifest).code == 2
    assert len(store.sandbox.log) == calls
