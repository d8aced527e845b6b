"""Start-up: the command's help and version against a bare interpreter, one after the other, by the clock."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .spread import ratios, spread
from .work import WrongError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sizes import Sizes

BARE = "python -c pass"
_BUDGETS = {"imageferry --help": 6.0, "imageferry --version": 4.0}


def run(sizes: Sizes, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Start each in turn, many times a round, since a start is short; the first of each only warms the caches."""
    starts = rounds * sizes.startups
    say(f"start-up: {starts} times each, in turn")
    commands = {
        BARE: [sys.executable, "-c", "pass"],
        **{name: [*_command(), name.partition(" ")[2]] for name in _BUDGETS},
    }
    for name, command in commands.items():
        _milliseconds(name, command)
    taken = [{name: {"ms": _milliseconds(name, command)} for name, command in commands.items()} for _ in range(starts)]
    return {
        "starts": starts,
        "peers": {name: spread(each[name]["ms"] for each in taken) for name in commands},
        "ratios": {name: ratios(taken, name, "ms", BARE) for name in _BUDGETS},
        "budgets": _BUDGETS,
    }


def _command() -> list[str]:
    """The installed command beside this interpreter, as people start it, or else the package."""
    script = Path(sys.executable).with_name("imageferry")
    return [str(script)] if script.exists() else [sys.executable, "-m", "imageferry"]


def _milliseconds(name: str, command: list[str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)
    took = 1000 * (time.perf_counter() - began)
    if done.returncode != 0 or (name != BARE and b"imageferry" not in done.stdout):
        raise WrongError(f"{name}: exit code {done.returncode}: {done.stderr[-300:]!r}")
    return took
