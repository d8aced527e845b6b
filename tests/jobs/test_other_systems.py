"""macOS and Windows are not at hand: what Linux alone has is taken away, and everything must still work.

Tested on Linux only; this keeps the other two from being broken by design.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from imageferry.jobs.cli.command_table import COMMANDS

from ..picture_corpus import SOUND
from .rehearsal import clean_environment

if TYPE_CHECKING:
    from .rehearsal import Rehearsal

WITHOUT = """
import asyncio, builtins, io, os, pathlib, signal, sys
import filelock, psutil  # these have code for each system; what they load on Linux needs what is taken away below
for name in ("fdatasync", "pread", "pwrite", "O_CLOEXEC", "O_DIRECTORY", "posix_fadvise", "killpg", "fork", "getuid"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGSTOP", "SIGUSR1", "SIGUSR2", "SIGCONT"):
    if hasattr(signal, name):
        delattr(signal, name)

read = io.open
def no_proc(file, *rest, **more):
    if str(file).startswith(("/proc", "/sys", "/etc/machine-id")):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return read(file, *rest, **more)
io.open = builtins.open = no_proc
"""
NOTHING_OF_UNIX = WITHOUT + "del os.kill\nsys.modules['fcntl'] = sys.modules['resource'] = sys.modules['pwd'] = None\n"
MAIN = "from imageferry.jobs.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"


@pytest.mark.parametrize("command", ["", *(command.name for command in COMMANDS)])
def test_each_command_shows_its_help_on_another_system(command: str) -> None:
    """Neither the import nor the help of a command needs what Linux alone has."""
    code = NOTHING_OF_UNIX + "import imageferry\n[getattr(imageferry, name) for name in imageferry.__all__]\n" + MAIN
    argv = [sys.executable, "-c", code, *command.split(), "--help"]
    ran = subprocess.run(argv, capture_output=True, text=True, env=clean_environment(), check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "usage" in ran.stdout.lower()


def test_a_migration_works_on_another_system(store: Rehearsal) -> None:
    """Written, given again, shown by status: with the sync, the lock and the signals of a system that is not Linux."""
    manifest = store.write({1: 2})
    (store.folder / "local.png").write_bytes(SOUND["PNG"])
    with manifest.open("a") as lines:
        lines.write('{"product_id": 2, "images": [{"image_file": "local.png"}]}\n')
    variables = {**clean_environment(), **store.environment}

    def run(*argv: object) -> dict[str, object]:
        command = [sys.executable, "-c", WITHOUT + MAIN, *map(str, argv), "--json"]
        ran = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout.splitlines()[-1])

    assert run("migrate", manifest)["created"] == 3
    assert run("migrate", manifest)["created"] == 0
    assert run("status", manifest.with_name(manifest.name + ".checkpoint.json"))["state"] == "finished"
