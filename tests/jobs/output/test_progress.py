"""What a person sees while a run works: on a terminal, without one, and with -q."""

from __future__ import annotations

import errno
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import imageferry
from imageferry.core.quota.stats import Traffic
from imageferry.jobs.output.console import Console
from imageferry.jobs.output.progress import Lines, Pace, calls, counters, duration

from ..rehearsal import clean_environment, rehearsing
from ..sick_store import answer, image, sick_store, well
from ..test_hostile import quota, sick_rehearsal

if TYPE_CHECKING:
    from pathlib import Path

    from ..sick_store import Call


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0.0 s"), (1.26, "1.3 s"), (9.97, "10 s"), (59.6, "60 s"), (119, "119 s"), (125, "2 min"), (7300, "2 h 02 min"), (36000, "10 h 00 min")],
)  # fmt: skip
def test_spans_of_time_are_told_as_a_person_says_them(seconds: float, told: str) -> None:
    """No decimals where they say nothing."""
    assert duration(seconds) == told


def test_the_counters_tell_all_that_is_known() -> None:
    """Products, images, calls a second, the quota and its reset, failures, and the time left by the pace so far."""
    clock = Clock()
    progress = imageferry.Progress()
    progress.traffic = lambda: Traffic(50, 0, 0, 4, 150, 70, 12.0, 5.0, None, 0.1)
    progress.start_phase("applying", products=1000, images=4000)
    pace = Pace(clock)
    pace.see("applying", 0, 4000)
    clock.now += 60
    progress.products_done, progress.images_done, progress.failures = 25, 100, 3
    pace.see("applying", 100, 4000)
    now = progress.snapshot()
    assert counters(now, pace) == ["25 of 1,000 products", "100 of 4,000 images", "3 failed", "about 39 min left"]
    assert calls(now.traffic) == ["5.0 calls/s", "quota 70 of 150 left, reset in 12 s"]


def test_a_run_that_waits_says_for_what() -> None:
    """Nothing moves, and the line says why."""
    traffic = Traffic(50, 0, 0, 0, None, None, None, 0.0, "the store's quota; on in 8 s", None)
    assert calls(traffic) == ["0.0 calls/s", "the store's quota; on in 8 s"]
    assert calls(None) == []


def test_without_a_terminal_a_line_comes_with_each_phase_and_now_and_then() -> None:
    """A log stays readable: a line as a phase begins, and one every 20 seconds."""
    clock, stream = Clock(), io.StringIO()
    lines = Lines(Console(None, stream), every=20, clock=clock)
    progress = imageferry.Progress()
    lines.look(progress)
    progress.start_phase("listing", products=10)
    for _ in range(41):
        lines.look(progress)
        progress.products_done = min(10, progress.products_done + 1)
        clock.now += 1
    lines.say("a sentence\x1b[2J")
    told = stream.getvalue().splitlines()
    assert told[0] == "listing: 0 of 10 products"
    assert len(told) == 4
    assert told[-1] == r"a sentence\x1b[2J"


@pytest.mark.parametrize(
    "terminal",
    [{"TERM": "xterm-256color", "COLUMNS": "100"}, {"TERM": "xterm", "COLUMNS": "18"}, {"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}],
    ids=["wide", "narrow", "dumb", "no colour"],
)  # fmt: skip
def test_on_a_terminal_the_progress_is_shown_in_place(tmp_path: Path, terminal: dict[str, str]) -> None:
    """Whatever the terminal is like: the phase is shown, the report stays clean, and nothing breaks."""
    with rehearsing(tmp_path, latency=0.02) as store:
        environment = {**clean_environment(), **store.environment, **terminal}
        manifest = store.write(dict.fromkeys(range(1, 31), 2))
        code, out, shown = _on_terminal(["sync", str(manifest), "--concurrency", "2"], environment)
    assert code == 0
    assert "sync: done" in out
    assert "\x1b" not in out
    assert "applying" in shown
    assert "Traceback" not in shown
    assert ("\x1b[" in shown) == (terminal["TERM"] != "dumb")
    if "NO_COLOR" in terminal:
        assert not re.search(r"\x1b\[[\d;]*3[0-7]m", shown)


def test_quiet_shows_nothing_on_a_terminal_either(tmp_path: Path) -> None:
    """-q is silent but for failures."""
    with rehearsing(tmp_path) as store:
        environment = {**clean_environment(), **store.environment, "TERM": "xterm"}
        assert _on_terminal(["sync", str(store.write({1: 1})), "-q"], environment) == (0, "", "")


def test_a_wait_of_over_a_minute_is_said_on_a_terminal_too(tmp_path: Path) -> None:
    """Above the live display, with its reason; without a terminal, and with -q, tests/jobs/test_endings.py sees to it."""

    def play(call: Call) -> bytes:
        return answer(b"", 429, *quota(0, 1_500_000)) if call.kind == "list" else well(call)

    with sick_store(play) as store:
        patient = sick_rehearsal(store.url, tmp_path)
        environment = {**clean_environment(), **patient.environment, "TERM": "xterm", "COLUMNS": "200"}
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "imageferry", "sync", str(patient.write({1: 1}))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
            os.close(theirs)
            shown = b""
            while b"named a wait" not in shown:
                shown += os.read(ours, 4096)
            process.kill()
        os.close(ours)
    assert b"waiting " in shown


def test_an_export_to_a_terminal_is_lines_that_it_cannot_obey(tmp_path: Path) -> None:
    """Nothing is drawn between them, and what a store calls its images is escaped; into a pipe, progress is drawn."""
    nasty = "d\x9b31mC1 \u202e bidi \x7f \x1b]0;pwn\x07 ü"

    def play(call: Call) -> bytes:
        if call.kind != "list":
            return well(call)
        time.sleep(0.6)
        return answer(
            [image(1, "a/\u202egpj\x9b2J__1.jpg", description=nasty, zoom_url="https://a.example/\x9b\u202e.jpg")]
        )

    with sick_store(play) as store:
        environment = {**clean_environment(), **sick_rehearsal(store.url, tmp_path).environment, "TERM": "xterm"}
        code, out, shown = _on_terminal(["export"], environment, both=True)
        piped = _on_terminal(["export"], environment)
    first, *rest = shown.splitlines()
    assert (code, out) == (0, "")
    assert json.loads(first)["images"][0]["description"] == nasty
    assert all(line.isprintable() for line in (first, *rest)), shown
    assert rest[0].startswith("export: 1 image of 1 product written")
    assert piped[1].splitlines() == [first]
    assert "calls/s" in piped[2]


def _on_terminal(argv: list[str], environment: dict[str, str], *, both: bool = False) -> tuple[int, str, str]:
    """Run with standard error, or both streams, on a pseudo terminal; exit code, standard output, what the terminal got."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "imageferry", *argv]
    out = theirs if both else subprocess.PIPE
    with subprocess.Popen(command, stdout=out, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError as error:
            if error.errno != errno.EIO:  # Linux says so when the other side is closed
                raise
        finally:
            os.close(ours)
        written = b"" if process.stdout is None else process.stdout.read()
        return process.wait(30), written.decode(), shown.decode()


def test_a_terminal_that_goes_away_takes_the_display_with_it_and_not_the_run(tmp_path: Path) -> None:
    """The window is closed under a run that ignores the hang-up: it goes on to its end."""
    with rehearsing(tmp_path, latency=0.02) as store:
        environment = {**clean_environment(), **store.environment, "TERM": "xterm"}
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "imageferry", "sync", str(store.write(dict.fromkeys(range(1, 31), 2)))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
            os.close(theirs)
            os.read(ours, 16)
            os.close(ours)
            assert process.stdout is not None
            assert b"sync: done" in process.stdout.read()
        assert process.returncode == 0
        assert store.sandbox.shop.catalogue.total_images == 60
