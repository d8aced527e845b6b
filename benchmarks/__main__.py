"""`python -m benchmarks`: measures all parts, writes the results, draws the pictures and fills in the page's tables."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageferry.jobs.bench.measure.machine import machine
from imageferry.jobs.bench.measure.processes import ProcessError

from . import page, pictures, plan, quota, startup, whole, wire
from .goals import goals
from .origin import NAMES, ROUNDS
from .sizes import FULL, TINY
from .work import SDK, WrongError, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .sizes import Sizes

    Part = Callable[[Sizes, int, Callable[[str], None]], dict[str, Any]]
    Parts = dict[str, dict[str, Any]]

HERE = Path(__file__).parent
PARTS: dict[str, Part] = {
    "startup": startup.run,
    "wire": wire.run,
    "plan": plan.run,
    "whole": whole.run,
    "quota": quota.run,
}
FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130


class ResultsError(Exception):
    """The folder holds no results that could be gone on with; the text says which file, and why."""


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is asked for; return the exit code: 0, 1 where a part went wrong, 2 where the flags make no sense."""
    parser = _parser()
    arguments = parser.parse_args(words)
    if arguments.redraw and (arguments.only or arguments.tiny):
        parser.error("--redraw measures nothing, so --only and --tiny make no sense beside it")
    try:
        home = _home(arguments)
        _measure(arguments, home)
    except (ResultsError, WrongError, ProcessError) as error:
        _say(f"benchmarks: {error}")
        return UNUSABLE if isinstance(error, ResultsError) else FAILED
    except OSError as error:
        _say(f"benchmarks: the disk failed: {error}")
        return FAILED
    except KeyboardInterrupt:
        _say("benchmarks: interrupted; the parts that were measured whole are kept")
        return INTERRUPTED
    return 0


def _home(arguments: argparse.Namespace) -> Path:
    """The folder of the page and, in `results`, of all that it shows; only a full run may change what is checked in, unasked."""
    if arguments.out is not None:
        return Path(arguments.out)
    partial = arguments.tiny or arguments.only or arguments.rounds < ROUNDS or len(installed(SDK)) < len(SDK)
    if arguments.redraw or not partial:
        return HERE
    home = Path(tempfile.mkdtemp(prefix="imageferry-benchmarks-"))
    _say(f"not the full run, so the page in {HERE.name}/ stays as it is; this one's: {home / 'README.md'}")
    return home


def _measure(arguments: argparse.Namespace, home: Path) -> None:
    """Part by part, each kept as soon as it is there, with the page that shows it."""
    names = [] if arguments.redraw else [name for name in PARTS if name in (arguments.only or PARTS)]
    parts = _kept(home, needed=arguments.redraw) if len(names) < len(PARTS) else {}
    if names and len(installed(SDK)) < len(SDK):
        _say("the vendor's SDK is not installed, so it is left out: pip install '.[bench]'")
    sizes, commit = TINY if arguments.tiny else FULL, _commit()
    for name in names:
        began = time.monotonic()
        told = PARTS[name](sizes, arguments.rounds, _say)
        parts[name] = {
            "rounds": arguments.rounds,
            **told,
            "took_s": round(time.monotonic() - began, 1),
            "tiny": arguments.tiny,
            "sizes": asdict(sizes),
            "commit": commit,
            "machine": machine("bigcommerce", "requests"),
        }
        _show(home, parts)
    if arguments.redraw:
        _show(home, parts)
    for goal in goals(parts):
        met = {True: "yes", False: "NO", None: "-"}[goal.met]
        _say(f"{goal.measure}: {goal.measured} ({goal.budget}): {met}")
    _say(f"results, pictures and page are in {home}")


def _kept(home: Path, *, needed: bool) -> Parts:
    """The parts that were measured before.

    Raises ResultsError.
    """
    path = home / "results" / "results.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if needed:
            raise ResultsError(f"there are no results to be drawn: {path} is missing") from None
        return {}
    except (ValueError, OSError) as error:
        raise ResultsError(f"{path} can't be gone on with: {error}") from None
    parts = told.get("parts") if isinstance(told, dict) else None
    if not isinstance(parts, dict) or not all(isinstance(part, dict) and "sizes" in part for part in parts.values()):
        raise ResultsError(f"{path} is no result of this command: move it away")
    return {name: parts[name] for name in NAMES if name in parts}


def _show(home: Path, parts: Parts) -> None:
    """Keep, draw and fill in what was measured."""
    results = home / "results"
    results.mkdir(parents=True, exist_ok=True)
    parts = {name: parts[name] for name in NAMES if name in parts}
    (results / "results.json").write_text(json.dumps({"parts": parts}, indent=1) + "\n", encoding="utf-8")
    for name, picture in pictures.drawn(parts).items():
        (results / name).write_text(picture, encoding="utf-8")
    text = (HERE / "README.md").read_text(encoding="utf-8")
    (home / "README.md").write_text(page.filled(text, parts), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_rounds, default=ROUNDS, metavar="N", help=f"rounds, interleaved ({ROUNDS})")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(PARTS),
        help="just this part, beside the results that --out has of others",
    )
    parser.add_argument(
        "--tiny", action="store_true", help="tiny sizes: does it all still run? The figures mean nothing"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="measure nothing: page and pictures from the results that are there"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where the page goes, and its results and pictures below it (the full run: this folder; any other: a new one)",
    )
    return parser


def _rounds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds: 1 or more")
    return int(text)


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
