"""Made-up command lines and damaged files: never a traceback, always a code of the contract, and what is damaged stays as it is."""

from __future__ import annotations

import io
import json
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imageferry.core.checkpoint.records import seal
from imageferry.jobs.cli.command_table import COMMANDS
from imageferry.jobs.cli.flags import GROUPS
from imageferry.jobs.sandbox import Fault

from .rehearsal import Rehearsal, Result, rehearsing, until
from .sick_store import answer, sick_store
from .test_hostile import sick_rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CODES = {0, 1, 2, 3, 4, 5, 6, 130}
SERVES = {"sandbox", "demo", "bench"}
FUZZ = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


@pytest.fixture(scope="module")
def forbidding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A store that lets nobody in, so that no made-up command line waits for anything."""
    folder = tmp_path_factory.mktemp("words")
    with sick_store(lambda _: answer([{"status": 401, "message": "no"}], 401)) as store:
        rehearsal = sick_rehearsal(store.url, folder)
        rehearsal.write({1: 1})
        (folder / "folder").mkdir()
        yield rehearsal


def judge(result: Result, argv: list[str]) -> None:
    """What holds of every ending."""
    assert result.code in CODES, (argv, result)
    assert "Traceback" not in result.err, (argv, result.err)
    assert "internal error" not in result.err, (argv, result.err)


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """The working folder, and an empty standard input."""
    before, empty = sys.stdin, io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patched, patch.object(sys, "stdin", empty):
        patched.chdir(folder)
        yield
    assert sys.stdin is before


FLAGS = sorted(
    {name for command in COMMANDS for flag in command.own for name in flag.names}
    | {name for _, group in GROUPS.values() for flag in group for name in flag.names}
)
VALUES = ["products.jsonl", "-", "", ".", "folder", "no/such", "\0", "x" * 300, "1", "0", "-1", "30%", "101%", "nan", "inf", "1e400",
          "9" * 400, "1,2,3", "1,,2", ",", "\x1b[2J", "\udcff", "٣", "https://", "http://[", "https://a b/", "file:///etc/passwd"]  # fmt: skip
WORDS = st.one_of(
    st.sampled_from([c.name for c in COMMANDS if c.name not in SERVES]),
    st.sampled_from(FLAGS),
    st.sampled_from(VALUES),
    st.text(max_size=12),
)
CORPUS = [
    ["sync", "\0"],
    ["sync", "x" * 5000],
    ["sync", "products.jsonl", "--checkpoint", "\0"],
    ["sync", "products.jsonl", "--checkpoint", "folder"],
    ["sync", "products.jsonl", "--checkpoint", "x" * 5000],
    ["sync", "products.jsonl", "--files", "\0"],
    ["sync", "products.jsonl", "--backup", "products.jsonl"],
    ["sync", "products.jsonl", "--backup", "\0"],
    ["sync", "folder"],
    ["sync", ""],
    ["sync", "\udcff"],
    ["sync", "-", "--checkpoint", "c"],
    ["plan", "products.jsonl", "-o", "folder"],
    ["plan", "products.jsonl", "-o", "\0"],
    ["plan", "products.jsonl", "-o", ""],
    ["apply", "\0"],
    ["apply", "-"],
    ["apply", "folder"],
    ["status", "\0"],
    ["status", "folder"],
    ["status", "-"],
    ["undo", "\0"],
    ["undo", "folder"],
    ["undo", "-"],
    ["export", "-o", "\0"],
    ["export", "-o", "folder"],
    ["export", "-o", ""],
    ["sync", "products.jsonl", "--max-deletes", "9" * 5000],
    ["sync", "products.jsonl", "--limit", "9" * 5000],
    ["sync", "products.jsonl", "--only", "9" * 5000],
    ["sync", "products.jsonl", "--settle", "1e400"],
    ["sync", "products.jsonl", "--rate", "1e-300"],
    ["sync", "products.jsonl", "--rate", "1e300"],
    ["sync", "products.jsonl", "--api-url", "http://[::1"],
    ["sync", "products.jsonl", "--api-url", "https://xn--/"],
    ["sync", "products.jsonl", "--api-url", "https://" + "a" * 300],
    ["sync", "products.jsonl", "--store-hash", "../.."],
    ["sync", "products.jsonl", "--storefront-url", "\x1b"],
    ["sync", "products.jsonl", "--api-url", "http://127.0.0.1:1", "--give-up-after", "0.1"],
    ["--json"],
    ["--", "sync"],
    ["sync", "--", "--json"],
    ["\x1b[31m"],
    ["help"],
]


@pytest.mark.parametrize("argv", CORPUS, ids=lambda argv: ascii(" ".join(argv))[1:40])
@pytest.mark.parametrize("json_too", [False, True], ids=["page", "json"])
def test_a_command_line_of_the_corpus_ends_as_the_contract_says(
    forbidding: Rehearsal, argv: list[str], json_too: bool
) -> None:
    """Once found, for ever kept: no traceback, one object with --json, and no control character on the terminal."""
    with working_in(forbidding.folder):
        result = forbidding.run(*argv, *(["--json"] * json_too))
    judge(result, argv)
    assert not any(letter in result.err + result.out for letter in "\x1b\0")
    if json_too and "--" not in argv:
        assert result.record["outcome"] in {"invalid", "disk", "unreachable", "done", None}, result


@given(st.lists(WORDS, max_size=7))
@settings(FUZZ, max_examples=250)
def test_no_command_line_ends_in_a_traceback(forbidding: Rehearsal, argv: list[str]) -> None:
    """Commands, flags and values in any order, with anything between them."""
    if SERVES & set(argv):
        return
    with working_in(forbidding.folder):
        judge(forbidding.run(*argv), argv)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A store, and a folder with all that runs leave: a finished one with history and backup, one that was killed, a plan."""
    folder = tmp_path_factory.mktemp("lived")
    with rehearsing(folder, products=12) as store:
        for name in ("done", "dead"):
            manifest = store.write({1: 3, 2: 2, 3: 1}, f"{name}.jsonl")
            kept = ["--backup", folder / "kept", "--storefront-url", store.sandbox.url, "--max-deletes", "99"]
            assert store.run("sync", manifest, *kept).code == 0
            store.write({1: 2, 2: 3, 3: 1}, f"{name}.jsonl", description="new")
            if name == "done":
                assert store.run("sync", manifest, *kept).code == 0
                assert store.run("plan", manifest, "-o", folder / "a.plan").code == 0
        store.write({1: 4, 2: 4, 3: 4}, "dead.jsonl", description="newer")
        store.sandbox.play(Fault("hang", methods=("POST",), after=1))
        with store.started("sync", folder / "dead.jsonl", "--max-deletes", "99") as process:
            until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
            process.kill()
            process.wait()
        store.sandbox.play()
        yield store


FILES = [
    "done.jsonl.checkpoint.json", "done.jsonl.checkpoint.json.history.plan", "done.jsonl.checkpoint.json.history.journal",
    "dead.jsonl.checkpoint.json", "dead.jsonl.checkpoint.json.journal", "dead.jsonl.checkpoint.json.plan",
    "dead.jsonl.checkpoint.json.holder", "a.plan", "kept/index.jsonl",
]  # fmt: skip
JUNK = [None, True, -1, 0, 10**18, 1e300, "", "x", "\x1b", [], [[]], {}, {"a": 1}]


def mutate(data: bytes, way: str, at: float, bit: int, junk: Any) -> bytes:
    """One thing done to a file: where, as a share of its length."""
    place = min(int(at * len(data)), max(0, len(data) - 1))
    lines = data.splitlines(keepends=True) or [b""]
    row = min(int(at * len(lines)), len(lines) - 1)
    match way:
        case "flip" if data:
            return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]
        case "cut":
            return data[:place]
        case "junk":
            lines.insert(row, json.dumps(junk).encode() + b"\n")
        case "twice":
            lines.insert(row, lines[row])
        case "gone":
            del lines[row]
        case "zeros":
            return data[:place] + bytes(40) + data[place + 40 :]
        case "sealed":
            lines[row] = _resealed(lines[row], bit, junk)
    return b"".join(lines)


def _resealed(line: bytes, which: int, junk: Any) -> bytes:
    """The line with one value replaced and a right checksum: what only a hand or a fault of ours could have written."""
    try:
        row = orjson.loads(line)
        row.pop("crc", None)
        names = sorted(row)
        row[names[which % len(names)]] = junk
        return seal(row)
    except (orjson.JSONDecodeError, AttributeError, ZeroDivisionError, TypeError):
        return seal({"x": junk})


DAMAGE = st.tuples(
    st.sampled_from(FILES),
    st.sampled_from(["flip", "flip", "cut", "junk", "twice", "gone", "zeros", "sealed", "sealed"]),
    st.floats(0, 1),
    st.integers(0, 7),
    st.sampled_from(JUNK),
)


def damaged(lived: Rehearsal, damage: tuple[str, str, float, int, Any]) -> tuple[Rehearsal, Path, bytes]:
    """A copy of the folder with one file damaged."""
    copy = lived.folder.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(lived.folder, copy)
    name, way, at, bit, junk = damage
    path = copy / name
    path.write_bytes(mutate(path.read_bytes(), way, at, bit, junk))
    return Rehearsal(lived.sandbox, copy), path, path.read_bytes()


@given(DAMAGE)
@settings(FUZZ, max_examples=150)
def test_status_reads_any_file_without_a_traceback(lived: Rehearsal, damage: tuple[str, str, float, int, Any]) -> None:
    """Exit 0 or 2, and nothing is written at all."""
    copy, _, _ = damaged(lived, damage)
    before = {path: path.read_bytes() for path in copy.folder.rglob("*") if path.is_file()}
    for name in ("done", "dead"):
        result = copy.run("status", copy.folder / f"{name}.jsonl.checkpoint.json")
        judge(result, [name])
        assert result.code in {0, 2}
    assert {path: path.read_bytes() for path in copy.folder.rglob("*") if path.is_file()} == before


COMMANDS_OF = {
    "done": [
        ["sync", "done.jsonl", "-n"],
        ["undo", "done.jsonl.checkpoint.json", "-n", "--backup", "kept"],
        ["sync", "done.jsonl"],
    ],
    "dead": [["sync", "dead.jsonl", "-n"], ["sync", "dead.jsonl"]],
    "a.pl": [["apply", "a.plan", "-n", "--checkpoint", "c.json"], ["apply", "a.plan", "--checkpoint", "c.json"]],
    "kept": [
        ["undo", "done.jsonl.checkpoint.json", "-n", "--backup", "kept"],
        ["undo", "done.jsonl.checkpoint.json", "--yes", "--backup", "kept"],
    ],
}
HASTE = ["--settle", "0", "--give-up-after", "2", "--stall-after", "5"]


@given(DAMAGE)
@settings(FUZZ, max_examples=80)
@example(("dead.jsonl.checkpoint.json.journal", "cut", 0.99, 0, None))
@example(("a.plan", "gone", 1.0, 0, None))
def test_commands_refuse_what_is_damaged_and_leave_it_as_it_is(
    lived: Rehearsal, damage: tuple[str, str, float, int, Any]
) -> None:
    """Never a traceback; where the exit code is 2 the damaged file is byte for byte what it was."""
    copy, path, before = damaged(lived, damage)
    for argv in COMMANDS_OF[damage[0][:4]]:
        with working_in(copy.folder):
            more = HASTE + (["--max-deletes", "99"] if argv[0] != "undo" else [])
            result = copy.run(*argv, *more)
        judge(result, [str(damage), *argv])
        if result.code != 2:
            return
        assert path.read_bytes() == before, (damage, argv)
