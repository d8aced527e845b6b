"""`python -m benchmarks`: measures all parts, writes the results, draws the pictures and fills in the page's tables."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.bench.machine import machine

from . import page, pictures, plan, quota, startup, whole, wire
from .sizes import FULL, TINY
from .work import SDK, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .sizes import Sizes

    Part = Callable[[Sizes, int, Callable[[str], None]], dict[str, Any]]

HERE = Path(__file__).parent
PARTS: dict[str, Part] = {
    "startup": lambda sizes, _rounds, say: startup.run(sizes, say),
    "wire": wire.run,
    "plan": plan.run,
    "whole": lambda sizes, _rounds, say: whole.run(sizes, say),
    "quota": quota.run,
}
MOST_ROUNDS = 5


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for; return the exit code."""
    arguments = _parser().parse_args(words)
    out: Path = arguments.out
    kept = out / "results.json"
    parts = arguments.only or ([] if arguments.redraw else list(PARTS))
    results = (
        json.loads(kept.read_text(encoding="utf-8")) if kept.exists() and len(parts) < len(PARTS) else {"parts": {}}
    )
    if len(installed(SDK)) < len(SDK):
        _say("the vendor's SDK is not installed, so it is left out: pip install '.[bench]'")
    for name in parts:
        began = time.monotonic()
        told = PARTS[name](TINY if arguments.tiny else FULL, arguments.rounds, _say)
        results["parts"][name] = told | {"rounds": arguments.rounds, "took_s": round(time.monotonic() - began)}
        results["machine"], results["commit"] = machine("bigcommerce", "requests"), _commit()
        out.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    _show(out, results)
    return 0


def _show(out: Path, results: dict[str, Any]) -> None:
    """Draw and fill in what the results have; a folder of its own gets a page of its own."""
    for name, picture in pictures.drawn(results["parts"]).items():
        (out / name).write_text(picture, encoding="utf-8")
    readme = HERE / "README.md" if out == HERE / "results" else out / "README.md"
    if not readme.exists():
        shutil.copy(HERE / "README.md", readme)
    readme.write_text(page.filled(readme.read_text(encoding="utf-8"), results), encoding="utf-8")
    for line in page.goals(results["parts"]):
        _say("  ".join(line))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=MOST_ROUNDS, metavar="N", help=f"rounds, interleaved ({MOST_ROUNDS})"
    )
    parser.add_argument(
        "--only", action="append", choices=list(PARTS), help="just this part, kept beside the results of the others"
    )
    parser.add_argument(
        "--tiny", action="store_true", help="tiny sizes: does it all still run? The figures mean nothing"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="measure nothing: pictures and tables from the results that are there"
    )
    parser.add_argument(
        "--out", type=Path, default=HERE / "results", metavar="FOLDER", help="where results and pictures go"
    )
    return parser


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
