"""The benchmarks still run: each part at a tiny size. Their figures mean nothing at that size, and no time is asserted."""

from __future__ import annotations

import json
import re
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import origin, page, pictures
from benchmarks.goals import goals
from benchmarks.quota import ALONE, BURSTS, HALF, STEADY
from benchmarks.sizes import FULL, TINY
from benchmarks.spread import folded, ratios, spread
from benchmarks.work import QUOTA_PEERS, US, WrongError, perform
from imageferry.jobs.bench.measure.processes import stage

HOME = Path(__file__).parents[1] / "benchmarks"
SVG = "{http://www.w3.org/2000/svg}"
LETTER = 7.5
"""What a letter of DejaVu Sans, which is wide, takes on average in 13 px."""


@pytest.mark.timeout(300)  # dozens of processes are started, and other tests run beside them
@pytest.mark.parametrize("part", command.PARTS)
def test_every_part_runs_and_fills_page_and_pictures(part: str, tmp_path: Path) -> None:
    """What is told fits what draws it; each part asserts by itself that the work was done."""
    assert command.main(["--tiny", "--rounds", "1", "--only", part, "--out", str(tmp_path)]) == 0
    parts = json.loads((tmp_path / "results" / "results.json").read_text())["parts"]
    assert list(parts) == [part]
    assert (parts[part]["rounds"], parts[part]["tiny"]) == (1, True)
    assert {"machine", "commit", "sizes", "took_s"} <= parts[part].keys()
    assert goals(parts)
    text = (tmp_path / "README.md").read_text()
    for name, picture in pictures.drawn(parts).items():
        ET.fromstring(picture)  # made a moment ago by our own code
        assert (tmp_path / "results" / name).read_text() == picture
        assert f"(results/{name})" in text
    assert "| measure | budget | measured | met |" in text
    assert f"**Tiny sizes** ({part})" in text
    assert "**The full run has not been made yet.**" in text


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


def _checked_in() -> dict[str, Any]:
    kept = HOME / "results" / "results.json"
    return dict(json.loads(kept.read_text())["parts"]) if kept.exists() else {}


def test_the_page_shows_the_results_that_are_checked_in() -> None:
    """Tables and pictures are made of results.json, none by hand: doing it again changes nothing."""
    text, parts = (HOME / "README.md").read_text(), _checked_in()
    assert page.filled(text, parts) == text
    assert not any(part["tiny"] for part in parts.values())
    made = pictures.drawn(parts)
    assert {name: (HOME / "results" / name).read_text() for name in made} == made
    assert set(re.findall(r"\(results/([a-z-]+\.svg)\)", text)) == made.keys()


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


def _quota_part(**more: Any) -> dict[str, Any]:
    """A quota part as measured, with the longest texts that are to be expected."""
    usual = {"used": spread([1.0]), "throttled_in_10000": 12_870.0, "other_rejected": 0.958, "whole": True}
    figures = usual | {"seconds": spread([50.0])} | more
    mixes = {mix: {"0.2": dict.fromkeys(QUOTA_PEERS, figures)} for mix in (ALONE, STEADY, BURSTS, HALF)}
    return {**mixes, "sizes": json.loads(json.dumps(asdict(FULL))), **_provenance()}


def _provenance(**more: Any) -> dict[str, Any]:
    machine = {"processor": "Some CPU", "processors": 2, "system": "Linux 6", "python": "3.11.7", "aiohttp": "3.14"}
    return {"rounds": 5, "took_s": 60.0, "tiny": False, "commit": "abc1234", "machine": machine} | more


def test_texts_of_a_picture_stay_inside_it() -> None:
    """By the letters of a wide font; and no text lies under the line of the limit, which ends where the bars do."""
    picture = pictures.drawn({"quota": _quota_part()})["quota-beside.svg"]
    tree = ET.fromstring(picture)
    limits = [float(line.attrib["x1"]) for line in tree.iter(f"{SVG}line") if line.attrib["class"] == "limit"]
    assert limits
    for text in tree.iter(f"{SVG}text"):
        begin, length = float(text.attrib["x"]), LETTER * len(text.text or "")
        if text.attrib.get("text-anchor") == "end":
            assert begin - length >= 0
        else:
            assert begin + length <= float(tree.attrib["width"]), text.text
        if text.text and "429s, " in text.text:
            assert begin > max(limits)


@pytest.mark.parametrize(
    ("words", "out"),
    [
        pytest.param(["--redraw"], "results.json is missing", id="nothing to redraw"),
        pytest.param(["--redraw", "--tiny"], "--redraw measures nothing", id="redraw a tiny run"),
        pytest.param(["--rounds", "0"], "1 or more", id="no round"),
        pytest.param(["--rounds", "-1"], "1 or more", id="less than none"),
        pytest.param(["--rounds", "many"], "1 or more", id="many"),
    ],
)
def test_flags_that_make_no_sense_are_refused(
    words: list[str], out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and a sentence, before anything is measured or written."""
    try:
        code = command.main([*words, "--out", str(tmp_path / "new")])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    assert out in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"parts": {"wire": {}}}'], ids=["empty", "a list", "a part without its sizes"]
)
def test_results_that_are_none_are_left_alone(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What lies in the folder may be somebody else's."""
    kept = tmp_path / "results" / "results.json"
    kept.parent.mkdir()
    kept.write_text(text)
    assert command.main(["--only", "startup", "--tiny", "--out", str(tmp_path)]) == 2
    assert str(kept) in capsys.readouterr().err
    assert kept.read_text() == text


def test_a_partial_run_leaves_the_checked_in_page_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --out it goes to a folder of its own, which is named."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = (HOME / "README.md").read_text(), _checked_in()
    assert command.main(["--tiny", "--rounds", "1", "--only", "startup"]) == 0
    assert before == ((HOME / "README.md").read_text(), _checked_in())
    (home,) = tmp_path.iterdir()
    assert str(home) in capsys.readouterr().err
    assert (home / "results" / "startup.svg").is_file()


def test_other_parts_keep_the_machine_and_the_commit_that_they_were_measured_on(tmp_path: Path) -> None:
    """Measuring one part again says nothing of the others."""
    kept = tmp_path / "results" / "results.json"
    kept.parent.mkdir()
    machine = {**_provenance()["machine"], "processor": "Another CPU"}
    former = _quota_part() | {"commit": "0ld", "machine": machine}
    kept.write_text(json.dumps({"parts": {"quota": former}}))
    assert command.main(["--tiny", "--rounds", "2", "--only", "startup", "--out", str(tmp_path)]) == 0
    parts = json.loads(kept.read_text())["parts"]
    assert parts["quota"] == former
    assert parts["startup"]["commit"] != "0ld"
    text = (tmp_path / "README.md").read_text()
    assert "machine 2: 2 times Another CPU" in text
    assert re.search(r"\| quota \| 5 \| 1\.0 min \| 0ld \| 2 \|", text)
    assert re.search(r"\| startup \| 2 \| .* \| 1 \|", text)
    assert f"Each was started {2 * TINY.startups} times" in text


def test_what_was_not_measured_is_no_figure() -> None:
    """A run without a whole window used no 0.000 of the quota: there is nothing to be judged."""
    parts = {"quota": _quota_part(used=None, other_rejected=None)}
    judged = {goal.measure: goal for goal in goals(parts)}
    for measure, goal in judged.items():
        if "quota used" in measure or "rejected" in measure:
            assert (goal.measured, goal.met) == ("-", None), measure
    assert len([goal for goal in judged.values() if goal.met is None]) == 4
    text = page.filled((HOME / "README.md").read_text(), parts)
    assert "| 0.000" not in text
    assert "no whole window" in pictures.drawn(parts)["quota-alone.svg"]


@pytest.mark.parametrize(
    ("figures", "met"),
    [({"used": spread([0.5])}, True), ({"used": spread([0.5004])}, False), ({"used": spread([0.479])}, False)],
    ids=["half", "a little more", "less"],
)
def test_a_budget_is_kept_to_the_letter(figures: dict[str, Any], met: bool) -> None:
    """No rounding in our favour: 0.5004 is more than 0.50."""
    (goal,) = [each for each in goals({"quota": _quota_part(**figures)}) if "--quota-share" in each.measure]
    assert goal.met is met


def test_the_notice_goes_when_all_was_measured_in_full() -> None:
    """And it names what is missing, tiny, or of too few rounds until then."""
    whole = {name: _provenance() for name in origin.NAMES} | {"whole": _provenance(rounds=1)}
    assert origin.notice(whole) == []
    assert "Not measured so far: whole" in origin.notice({n: p for n, p in whole.items() if n != "whole"})[0]
    assert "Tiny sizes** (wire)" in origin.notice(whole | {"wire": _provenance(tiny=True)})[0]
    assert "Fewer than 5 rounds** (plan)" in origin.notice(whole | {"plan": _provenance(rounds=1)})[0]
    assert tuple(command.PARTS) == origin.NAMES
