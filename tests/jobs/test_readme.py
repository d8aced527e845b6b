"""Tests that the README is true: its commands run, its tables match the program, and its example migrates."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import imageferry
from imageferry.jobs.cli.command_table import COMMANDS
from imageferry.jobs.cli.flags import GROUPS

from .rehearsal import clean_environment

if TYPE_CHECKING:
    from .rehearsal import Rehearsal

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of `language` in the README."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


SET_UP, STEPS = blocks("sh")[:2], blocks("sh")[2:]


def shell(store: Rehearsal, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run lines of the README against the sandbox, with `imageferry` on the PATH."""
    bin_folder = store.folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    command = bin_folder / "imageferry"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m imageferry "$@"\n')
    command.chmod(0o755)
    environment = {**clean_environment(), **store.environment, "PATH": f"{bin_folder}:{os.environ['PATH']}", **more}
    return subprocess.run(
        ["sh", "-e", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=store.folder,
        timeout=60,
    )


def test_the_install_commands_need_one_line_each() -> None:
    """Each makes an environment, installs the project and runs a command, from a clean clone."""
    demo, tests = (block.strip() for block in SET_UP)
    assert demo == "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/imageferry demo"
    assert tests == "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest"


def test_migration_steps_run_in_order(store: Rehearsal) -> None:
    """Only the store hash and the home folder with the token file are replaced."""
    (store.folder / ".bigcommerce-token").write_text(store.sandbox.access_token)
    variables = {"BIGCOMMERCE_ACCESS_TOKEN": "", "HOME": str(store.folder)}
    assert len(STEPS) >= 6
    script = "\n".join(STEPS).replace(
        "BIGCOMMERCE_STORE_HASH=abc123", f"BIGCOMMERCE_STORE_HASH={store.sandbox.store_hash}"
    )
    ran = shell(store, script, **variables)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "verify: no difference" in ran.stdout
    assert store.sandbox.shop.catalogue.total_images == 3


def test_inline_commands_exist() -> None:
    """The parser knows each `imageferry COMMAND` in the text."""
    names = {command.name for command in COMMANDS} | {"COMMAND"}
    inline = re.findall(r"`imageferry\s+([^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
    assert inline
    for words in inline:
        assert words.split()[0] in names, words


def test_nightly_commands_run(store: Rehearsal) -> None:
    """cron and systemd run the same command, and it prints nothing if the run succeeds."""
    variable_lines = blocks("cron")[0].splitlines()
    cron = variable_lines[-1].split(maxsplit=5)
    assert len(cron[:5]) == 5
    unit = dict(line.split("=", 1) for line in blocks("ini")[0].splitlines() if "=" in line)
    assert unit["ExecStart"] == cron[5]
    for line in variable_lines[:-1]:
        assert f"Environment={line}" in blocks("ini")[0]
    store.write({1: 2})
    line = cron[5].replace("/opt/imageferry/bin/imageferry", "imageferry").replace("/srv/shop/", "")
    ran = shell(store, line)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert store.sandbox.shop.catalogue.total_images == 2


def test_library_example_migrates(store: Rehearsal) -> None:
    """The example runs unchanged in a folder with a manifest."""
    store.write({1: 2, 2: 1})
    example = store.folder / "example.py"
    example.write_text(blocks("python")[0])
    environment = {**clean_environment(), **store.environment}
    ran = subprocess.run(
        [sys.executable, str(example)], capture_output=True, text=True, check=False, env=environment, cwd=store.folder
    )
    assert (ran.returncode, ran.stdout) == (0, "done: 3 created, 0 updated, 0 failed\n"), ran.stderr


def test_flags_table_matches_the_parser() -> None:
    """Each flag has the meaning and the default that the help shows; no flag is missing or invented."""
    rows = re.findall(r"^\| `(-[^`]+)` \| (.*?) \| (.*?) ?\|$", README, re.MULTILINE)
    flags = {flag for command in COMMANDS for flag in command.own}
    flags |= {flag for _, group in GROUPS.values() for flag in group}
    expected = {(flag.shown, flag.text, flag.default) for flag in flags} | {("--version", "print the version", "")}
    assert {tuple(cell.strip() for cell in row) for row in rows} == {tuple(c.strip() for c in row) for row in expected}


def test_names_table_matches_the_public_names() -> None:
    """The table lists all of `imageferry.__all__`. Each function but `review` has the name of a command."""
    section = README.split("| Name | What it is |")[1].split("\n\n")[0]
    commands = {command.name for command in COMMANDS}
    assert commands & set(imageferry.__all__) == {
        name for name in imageferry.__all__ if name.islower() and name[0] != "_"
    } - {"review"}
    assert set(re.findall(r"`(\w+)`", section)) == set(imageferry.__all__)


def test_tests_of_the_promises_exist() -> None:
    """Each file, command and test that the table names exists, and each promise names at least one."""
    section = README.split("## Speed")[1].split("\n## Settings")[0]
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py"))
    for words in re.findall(r"`([^`]+)`", section):
        if words.startswith("tests/"):
            assert (ROOT / words).is_file(), words
        elif words.startswith("test_"):
            assert f"def {words}(" in tests, words
        elif words.startswith("python -m"):
            assert (ROOT / words.split()[2].replace(".", "/") / "__main__.py").is_file(), words
    for file in re.findall(r"\]\(([^)]+)\)", section):
        assert (ROOT / file).is_file(), file
    rows = re.findall(r"^\| (?!Promise|---)(.+?) \| (.+) \|$", section, re.MULTILINE)
    assert len(rows) >= 30
    assert all("`" in tested for _, tested in rows)


def test_folders_in_the_layout_exist() -> None:
    """The drawing names folders of the tree."""
    drawing = README.split("## Layout of the code")[1].split("```")[1]
    folders = re.findall(r"^( *)([a-z_]+)/", drawing, re.MULTILINE)
    assert len(folders) >= 9
    for indent, name in folders:
        assert (ROOT / ("engine" if indent else "") / name).is_dir(), name


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 130])
def test_exit_codes_are_explained(code: int) -> None:
    """Each has a meaning and an action."""
    assert re.search(rf"^\| {code} \| [^|]+ \| [^|]+ \|$", README, re.MULTILINE)


def test_environment_variables_match_the_settings() -> None:
    """The README names each variable that the settings read, and no other."""
    read = set(re.findall(r"BIGCOMMERCE_[A-Z_]*[A-Z]", (ROOT / "jobs" / "cli" / "settings.py").read_text()))
    assert set(re.findall(r"^\| `(BIGCOMMERCE_\w+)`", README, re.MULTILINE)) == read
