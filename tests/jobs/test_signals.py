"""Signals around the end of a run: what it did is told whole, and how it ended stays how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from imageferry.jobs.sandbox.faults import Fault

from .rehearsal import until

if TYPE_CHECKING:
    from .rehearsal import Rehearsal

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("form", [["--json"], ["-v"]], ids=["record", "page"])
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_signal_while_the_report_is_written_cuts_nothing(
    store: Rehearsal, number: signal.Signals, form: list[str], unbuffered: str
) -> None:
    """A report of 1,000 failures fills the pipe; the signal comes while nobody reads: exit code 1 and all of it."""
    manifest = store.write({999: 1000})
    with store.started("sync", manifest, *form, PYTHONUNBUFFERED=unbuffered) as process:
        assert process.stdout is not None
        first = os.read(process.stdout.fileno(), 1)
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1, err
    assert b"Traceback" not in err
    if form == ["--json"]:
        record = json.loads((first + out).splitlines()[-1])
        assert (record["outcome"], len(record["failures"])) == ("failed", 1000)
    else:
        assert b"999-999.jpg" in out
        assert out.endswith(b"\n")


def test_a_second_signal_ends_a_process_whose_report_nobody_reads(store: Rehearsal) -> None:
    """Who insists is obeyed, as by any other program."""
    with store.started("sync", store.write({999: 1000}), "--json") as process:
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 1)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM


def test_a_hang_up_drains_like_an_interrupt_but_not_where_it_is_to_be_ignored(store: Rehearsal) -> None:
    """SIGHUP ends a run with 130 (contract, Exit codes); under nohup it goes on."""
    store.sandbox.play(Fault("slow", delay=1.5, methods=("POST",)))
    manifest = store.write({1: 2})
    with store.started("sync", manifest, "--json", "--concurrency", "1") as process:
        until(lambda: any(entry.method == "POST" for entry in store.sandbox.log))
        process.send_signal(signal.SIGHUP)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, json.loads(out.splitlines()[-1])["outcome"]) == (130, "interrupted"), err
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with store.started("sync", manifest, "--json") as process:
            until(lambda: sum(entry.method == "POST" for entry in store.sandbox.log) > 1)
            process.send_signal(signal.SIGHUP)
            out, err = process.communicate(timeout=30)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (process.returncode, json.loads(out.splitlines()[-1])["outcome"]) == (0, "done"), err


def test_two_signals_at_once_are_two(store: Rehearsal) -> None:
    """Sent together they cut the call that hangs; the record is whole."""
    store.sandbox.play(Fault("hang", methods=("POST",)))
    with store.started("sync", store.write({1: 1}), "--json") as process:
        until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["outcome"] == "interrupted"


def test_an_export_that_a_signal_meets_is_whole_or_says_that_it_is_not(store: Rehearsal) -> None:
    """Its bytes wait for a reader under PYTHONUNBUFFERED: none is lost without a word."""
    store.run("sync", store.write({1: 600}, description="x" * 200))
    with store.started("export", "-q", PYTHONUNBUFFERED="1") as process:
        assert process.stdout is not None
        first = os.read(process.stdout.fileno(), 1)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        out, err = process.communicate(timeout=30)
    if process.returncode == 0:
        assert len(json.loads(first + out)["images"]) == 600
    else:
        assert (process.returncode, b"not whole" in err) == (130, True), err


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
@pytest.mark.parametrize("form", [["--json"], []], ids=["record", "page"])
def test_a_signal_ends_the_check_of_a_manifest_whose_pipe_stays_open(
    store: Rehearsal, number: signal.Signals, form: list[str]
) -> None:
    """Exit code 130 and the record, without a traceback; no file of the run is left but its lock."""
    with store.started("sync", "-", "--checkpoint", "run.json", *form) as process:
        until(lambda: any(store.folder.glob("*.manifest.input")))
        process.send_signal(number)
        assert process.wait(20) == 130
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
    assert b"Traceback" not in err
    assert b"interrupted" in err
    if form:
        assert json.loads(out.splitlines()[-1])["outcome"] == "interrupted"
    assert not [each for each in store.folder.iterdir() if each.suffix != ".lock"]
    assert store.sandbox.log == []
