"""The benchmarks still run: each part at a tiny size. Their figures mean nothing at that size, and no time is asserted."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import page, pictures
from benchmarks.sizes import TINY
from benchmarks.spread import folded, ratios, spread
from benchmarks.work import US, WrongError, perform
from jobs.bench.stage import stage

HOME = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.timeout(300)  # dozens of processes are started, and other tests run beside them
@pytest.mark.parametrize("part", command.PARTS)
def test_every_part_runs_and_fills_page_and_pictures(part: str, tmp_path: Path) -> None:
    """What is told fits what draws it; each part asserts by itself that the work was done."""
    assert command.main(["--tiny", "--rounds", "1", "--only", part, "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["parts"][part]["rounds"] == 1
    assert page.goals(results["parts"])
    for name, picture in pictures.drawn(results["parts"]).items():
        ET.fromstring(picture)  # made a moment ago by our own code
        assert (tmp_path / name).read_text() == picture
    assert "| measure | budget | measured | met |" in (tmp_path / "README.md").read_text()


def test_a_peer_that_did_not_do_its_work_gets_no_figure() -> None:
    """The store's own count of images is asked: here the peer is told of more products than there are."""
    with stage("--products", "2", "--images", "1") as store, pytest.raises(WrongError, match="images"):
        perform(store, "back-off", products=2, images=0, listed=3)


def test_rounds_fold_to_medians_with_their_spread() -> None:
    """None counts for nothing, and a truth has to hold in all rounds."""
    told = folded([{"a": 1, "b": None, "c": True}, {"a": 3, "b": None, "c": False}, {"a": 9, "b": None, "c": True}])
    assert told == {"a": {"median": 3, "low": 1, "high": 9}, "b": None, "c": False}
    assert spread([2.0]) == {"median": 2.0, "low": 2.0, "high": 2.0}


def test_ratios_are_taken_within_each_round() -> None:
    """The machine drifts from round to round; a ratio of medians would drift with it."""
    rounds = [{"us": {"s": 2.0}, "floor": {"s": 1.0}}, {"us": {"s": 30.0}, "floor": {"s": 10.0}}]
    assert ratios(rounds, "us", "s", "floor") == {"median": 2.5, "low": 2.0, "high": 3.0}


def _results() -> dict[str, Any]:
    return dict(json.loads((HOME / "results" / "results.json").read_text()))


@pytest.mark.skipif(not (HOME / "results" / "results.json").exists(), reason="nothing was measured yet")
def test_the_page_shows_the_results_that_are_checked_in() -> None:
    """Tables and pictures are made of results.json, none by hand: doing it again changes nothing."""
    text, results = (HOME / "README.md").read_text(), _results()
    assert page.filled(text, results) == text
    for name, picture in pictures.drawn(results["parts"]).items():
        assert (HOME / "results" / name).read_text() == picture
        assert f"results/{name}" in text


def test_the_page_has_a_place_for_every_table() -> None:
    """A table without its place would be lost without a word."""
    text = (HOME / "README.md").read_text()
    marked = set(re.findall(r"<!-- ([a-z-]+) -->", text))
    assert marked == page.NAMES
    assert all(f"<!-- /{name} -->" in text for name in marked)


def test_pictures_follow_the_readers_colour_scheme() -> None:
    """Each has a ground of its own and a second set of colours."""
    value = spread([1.0, 2.0])
    picture = pictures.bars("Title", "note", [pictures.Group("group", [pictures.Bar(US, value, "1 <s>")], limit=1.0)])
    assert "prefers-color-scheme:dark" in picture
    assert "1 &lt;s&gt;" in picture
    assert TINY.latencies
