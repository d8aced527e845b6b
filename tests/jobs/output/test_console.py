"""The two streams: nothing raw passes, and a stream that fails ends no run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageferry.jobs.output.console import Console, plain

if TYPE_CHECKING:
    from ..rehearsal import Rehearsal


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Zürich 漢字 🙂", "Zürich 漢字 🙂"),
        ("a\x1b[31mred\x07", r"a\x1b[31mred\x07"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("\u202eright to left", r"\u202eright to left"),
        ("\x9b2J", r"\x9b2J"),
        ("\ud800", r"\ud800"),
        ("\u2028\u200b", r"\u2028\u200b"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(raw: str, shown: str) -> None:
    """Names, descriptions and reasons come from outside."""
    assert plain(raw) == shown


def test_streams_that_are_closed_or_missing_are_no_fault() -> None:
    """Nothing is written then, and nothing raised."""
    gone = io.StringIO()
    gone.close()
    for stream in (None, gone):
        console = Console(stream, stream)
        console.out(["a"])
        console.err(["b"])
        assert console.exit_code(0) == 0
        assert not console.is_live


def test_an_encoding_that_lacks_a_character_gets_an_escape() -> None:
    """A terminal without UTF-8 shows what it can."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Console(stream, None).out(["Zürich"])
    assert raw.getvalue() == rb"Z\xfcrich" + b"\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no such device")
def test_an_answer_that_could_not_be_written_does_not_look_good(store: Rehearsal) -> None:
    """A full disk behind standard output is said, with exit code 6."""
    manifest = store.write({1: 1})
    for argv in (["sync", manifest, "--json"], ["export"]):
        ran = _shell(store, argv, "> /dev/full")
        assert ran.returncode == 6, argv
        assert "No space left" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_a_reader_that_goes_away_ends_nothing(store: Rehearsal) -> None:
    """`| head -1` gets its line; the run goes to its end and leaves quietly."""
    manifest = store.write(dict.fromkeys(range(1, 11), 5))
    ran = _shell(store, ["plan", manifest, "-v"], "| head -1")
    assert "50 changes" in ran.stdout
    ran = _shell(store, ["sync", manifest, "--json"], "2> err | true")
    assert "Traceback" not in (store.folder / "err").read_text()
    assert store.sandbox.shop.catalogue.total_images == 50
    assert "Traceback" not in _shell(store, ["export"], "| true").stderr


def test_closed_streams_end_nothing(store: Rehearsal) -> None:
    """Both streams may be closed from the start."""
    manifest = store.write({1: 1})
    assert _shell(store, ["sync", manifest], ">&- 2>&-").returncode == 0
    assert _shell(store, ["verify", manifest, "--json"], ">&-").returncode == 0


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_locale_without_utf_8_is_no_fault(store: Rehearsal, locale: str) -> None:
    """The same run, told in what the locale has."""
    manifest = store.folder / "products.jsonl"
    row = {"product_id": 1, "images": [{"image_file": "https://a.example/Zürich.jpg", "description": "漢\x1b[2J"}]}
    manifest.write_text(json.dumps(row) + "\n")
    result = store.spawn("plan", manifest, "-v", LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert result.code == 0
    assert r"Z\xfcrich" in result.out
    assert "\x1b" not in result.out + result.err


def _shell(store: Rehearsal, argv: list[object], rest: str) -> subprocess.CompletedProcess[str]:
    command = f"set -o pipefail; {sys.executable} -m imageferry {' '.join(map(str, argv))} {rest}"
    environment = {**os.environ, **store.environment}
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=store.folder,
        timeout=50,
    )
