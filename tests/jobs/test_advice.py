"""What a page says once, and what it advises: a status is not told twice, and nothing is to be given again that can't go better."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import imageferry
from imageferry.jobs.output.run_text import failure_line

if TYPE_CHECKING:
    from .rehearsal import Rehearsal


def test_a_product_that_the_store_has_not_is_told_with_one_404(store: Rehearsal) -> None:
    """On every page that names it; the record has the status beside the reason."""
    manifest = store.write({1: 1, 999: 1})
    pages = [store.run(*words).out for words in (["plan", manifest], ["sync", manifest], ["verify", manifest])]
    for page in pages:
        line = next(line for line in page.splitlines() if "product 999" in line)
        assert line.count("404") == 1
        assert "no such product" in line
    failure = store.run("sync", manifest, "--json").record["failures"][0]
    assert (failure["status"], failure["reason"]) == (404, "the store has no such product")


@pytest.mark.parametrize(
    ("status", "reason", "shown"),
    [
        (404, "the store has no such product", "404: the store has no such product"),
        (404, "https://h/a.jpg answered 404", "https://h/a.jpg answered 404"),
        (400, "image 14004 is refused", "400: image 14004 is refused"),
        (None, "it can't be kept", "it can't be kept"),
    ],
)
def test_a_status_that_the_reason_tells_is_not_said_twice(status: int | None, reason: str, shown: str) -> None:
    """As a number of its own."""
    assert failure_line(imageferry.Failure(1, status=status, reason=reason)) == f"product 1: {shown}"


def test_what_cannot_work_is_not_advised_to_be_given_again(store: Rehearsal) -> None:
    """Only missing products: the manifest or the store is to be changed. With others: those are tried again."""
    alone = store.run("sync", store.write({1: 1, 999: 2})).out
    advice = alone[alone.index("Next: ") :]
    assert "take these products out of the manifest" in advice
    assert "give the same command again" not in advice
    path = store.folder / "more.jsonl"
    rows = [{"product_id": 1, "images": [{"image_file": f"http://127.0.0.1:9/{n}.jpg"} for n in range(2)]}]
    rows.append({"product_id": 999, "images": [{"image_file": "http://127.0.0.1:9/a.jpg"}]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.sandbox.config.fetch = True
    both = store.run("migrate", path).out
    advice = both[both.index("Next: ") :]
    assert "give the same command again" in advice
    assert "take these products out of the manifest" in advice
