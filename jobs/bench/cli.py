"""`imageferry bench` on the command line: its flags, and what they make of the scenarios.

Looking at the flags loads nothing heavy; what runs is imported when it is to run.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .scenarios import NAMES, SCENARIOS
from .selection import _store_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..output.console import Console

ABOUT = """\
Measures what this machine, the quota and the store allow. Each scenario starts a sandbox store in a process of its own and runs
the engine, whole, in another; a verify has to find nothing before a figure is printed. Figures depend on the machine and what else
it does: compare ratios (--compare), of runs on one machine with the same versions; where they differ, that is said.
"""

MORE = """\
bound by: what would have to change to make the run faster. quota: the calls that the store allows; latency: the time a call takes;
processor: this process's, or the sandbox's; source: writes that take much longer than listings, since the store fetches pictures.
quota used: by all apps, in whole windows, by the store's own count.

with --store: the store of BIGCOMMERCE_STORE_HASH and BIGCOMMERCE_ACCESS_TOKEN (or .._FILE) is listed, and nothing is written to it;
the calls count to its quota (two for each product, and a few more).

exit codes: 0 measured; 1 a run went wrong, no figures of it are given; 2 the flags, the settings or --compare's file make no sense;
with --store 5 the store can't be reached, or refuses the token

examples:
  imageferry bench
  imageferry bench --scenario quota --latency 0.8 --json > now.json
  imageferry bench --scenario cold --compare before.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; they land in `arguments` with `bench_` before their names, but for those that all commands share."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "%(prog)s [flags]"
    parser.description, parser.epilog = ABOUT, MORE
    table = "; ".join(f"{each.name} ({each.about})" for each in SCENARIOS)
    add = parser.add_argument
    add(
        "--scenario",
        dest="bench_scenarios",
        action="append",
        choices=NAMES,
        help=f"only this one; may be repeated: {table}".replace("%", "%%"),
    )
    add(
        "--products",
        dest="bench_products",
        type=_a(int, 1),
        metavar="N",
        help="products of each scenario; with --store, how many are listed at most (200)",
    )
    add("--images", dest="bench_images", type=_a(int, 1), metavar="N", help="images of each product")
    add("--latency", dest="bench_latency", type=_a(float, 0), metavar="SECONDS", help="that each call takes")
    add("--quota", dest="bench_quota", type=_quota, metavar="N", help="calls per window of 3 s; none for no quota")
    add(
        "--store",
        dest="bench_store",
        action="store_true",
        help="a read-only run against a real store: it is listed, nothing else",
    )
    _add_output_flags(parser)
    _add_store_flags(parser)


def _add_output_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--compare", dest="bench_compare", type=Path, metavar="FILE", help="an earlier --json result: show ratios to it"
    )
    add(
        "--json",
        dest="bench_json",
        action="store_true",
        help="one JSON object as the last line of standard output; the table goes to standard error",
    )
    add("--quiet", "-q", dest="bench_quiet", action="store_true", help="nothing but the result and what went wrong")
    add(
        "--verbose",
        "-v",
        dest="bench_verbose",
        action="store_true",
        help="a traceback for a fault of imageferry's own",
    )


def _add_store_flags(parser: argparse.ArgumentParser) -> None:
    place = parser.add_argument_group(
        "which real store, with --store (the token comes from the environment only), and how fast"
    )
    for flag in _store_flags():
        flag.declare(place)


def _a(make: Callable[[str], Any], least: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = make(text)
        except ValueError:
            value = None
        if value is None or not least <= value < 1e9:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {least} or more")
        return value

    return read


def _quota(text: str) -> int | str:
    value: int | str = "none" if text == "none" else _a(int, 1)(text)
    return value


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Measure, print, and return the exit code."""
    from .command import BenchCommand  # noqa: PLC0415  # help does without

    return BenchCommand(arguments, console)()
