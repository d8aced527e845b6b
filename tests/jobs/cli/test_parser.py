"""Help, version and usage: what a newcomer meets first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imageferry import __version__
from imageferry.core.quota.concurrency import INITIAL_LIMIT, MAX_LIMIT, MIN_LIMIT
from imageferry.jobs.__main__ import main
from imageferry.jobs.cli.command_table import COMMANDS
from imageferry.jobs.cli.flags import GROUPS
from imageferry.jobs.cli.parser import OWN_MODULES, UsageError, parse

from ..rehearsal import clean_environment

ROOT = Path(__file__).parents[3]
HEAVY = {
    "aiohttp",
    "anyio",
    "asyncio",
    "imageferry.core",
    "orjson",
    "rich",
    "PIL",
    "importlib.metadata",
    "json",
    "ssl",
    "imageferry.jobs.sandbox",
}


@pytest.mark.parametrize(
    "argv", [["--help"], ["--version"], ["sync", "--help"], ["undo", "--help"], ["demo", "--help"]], ids=" ".join
)
def test_help_and_version_load_nothing_heavy(argv: list[str]) -> None:
    """They are held to a few times a bare interpreter's start."""
    code = (
        "import sys\nfrom imageferry.jobs.__main__ import main\n"
        f"code = main({argv!r})\n"
        f"print(code, *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == "0\n"
    assert ran.stdout


def test_the_help_states_the_bounds_that_the_engine_keeps() -> None:
    """Help loads nothing of the engine, so its figures are written out; here they are held to those in flow.py."""
    (flag,) = (flag for flag in GROUPS["limits"][1] if flag.names == ["--concurrency"])
    assert flag.default == f"auto ({MIN_LIMIT} to {MAX_LIMIT}, starts at {INITIAL_LIMIT})"


@pytest.mark.parametrize("command", sorted(OWN_MODULES))
def test_help_of_what_serves_or_measures_loads_no_loop_and_no_network(command: str) -> None:
    """Their many flags cost something, what runs them would cost much more."""
    code = (
        "import sys\nfrom imageferry.jobs.__main__ import main\n"
        f"code = main([{command!r}, '--help'])\n"
        "print(code, *sorted({'aiohttp', 'anyio', 'asyncio', 'imageferry.core', 'orjson'} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == "0\n"


def test_the_version_does_without_argparse() -> None:
    """What a script asks at every start costs next to nothing."""
    code = "import sys\nfrom imageferry.jobs.__main__ import main\nmain(['--version'])\nassert 'argparse' not in sys.modules"
    subprocess.run([sys.executable, "-S", "-c", code], check=True, cwd=ROOT / ".types", stdout=subprocess.DEVNULL)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output, with exit code 0."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"imageferry {__version__}\n"


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_each_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And the main help lists it in one line."""
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert name == "sandbox" or f"  imageferry {name}" in out
    assert main(["--help"]) == 0
    assert f"\n    {name} " in capsys.readouterr().out


def test_each_command_of_the_help_has_its_flags_from_the_tables() -> None:
    """What the tables list is what the parser takes, and nothing else."""
    for command in COMMANDS:
        if command.name in OWN_MODULES:
            continue
        flags = [*command.own, *(flag for group in command.groups for flag in GROUPS[group][1])]
        argv = [command.name, *(["x"] if command.argument else [])]
        expected = {"command", *(["argument"] if command.argument else [])}
        for flag in flags:
            argv += [flag.names[-1]] if flag.metavar is None else [flag.names[-1], "1"]
            expected.add(flag.names[0].removeprefix("--").replace("-", "_"))
        assert set(vars(parse(argv))) == expected


@pytest.mark.parametrize(
    "argv",
    [
        ["synk"],
        ["sync"],
        ["sync", "a", "b"],
        ["sync", "a", "--no-such"],
        ["sync", "a", "--limit"],
        ["sync", "a", "--lim", "1"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_ends_with_2_in_one_line(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json there is the object all the same."""
    assert main(argv) == 2
    told = capsys.readouterr()
    assert (len(told.err.splitlines()), told.out) == (1, "")
    assert "--help" in told.err
    assert main([*argv, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["outcome"] == "invalid"


def test_nothing_at_all_shows_the_help_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As rclone does: usage where none was asked for is a usage error."""
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "first steps" in told.err


def test_the_token_has_no_flag() -> None:
    """A flag would show in the process list."""
    with pytest.raises(UsageError):
        parse(["sync", "a", "--access-token", "x"])


@pytest.mark.parametrize("command", sorted(OWN_MODULES))
def test_sandbox_and_bench_are_mounted(command: str) -> None:
    """Their flags are parsed by the same command line; a wrong one ends with 2."""
    ran = subprocess.run(
        [sys.executable, "-m", "imageferry", command, "--products", "x"],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1)
