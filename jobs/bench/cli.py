"""`imageferry bench` on the command line: its flags, the runs one after the other, and what is printed.

Looking at the flags loads nothing heavy; what runs is imported when it is to run.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .scenarios import NAMES, SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

ABOUT = """\
Measures what this machine, the quota and the store allow. Each scenario starts a sandbox store in a process of its own and runs
the engine, whole, in another; a verify has to find nothing before a figure is printed. Figures depend on the machine and what else
it does: compare ratios (--compare), of runs on one machine.
"""

MORE = """\
bound by: what would have to change to make the run faster. quota: the calls that the store allows; latency: the time a call takes;
processor: this process's, or the sandbox's; source: writes that take much longer than listings, since the store fetches pictures.
quota used: by all apps, in whole windows, by the store's own count.

with --store: the store of BIGCOMMERCE_STORE_HASH and BIGCOMMERCE_ACCESS_TOKEN (or .._FILE) is listed, and nothing is written to it;
the calls count to its quota (about two for each product).

exit codes: 0 measured; 1 a run went wrong, no figures of it are given; 2 the flags make no sense; 5 the store can't be reached

examples:
  imageferry bench
  imageferry bench --scenario quota --latency 0.8 --json > now.json
  imageferry bench --scenario cold --compare before.json
"""
_STORE_PRODUCTS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; they land in `arguments` with `bench_` before their names."""
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
        help="products of each scenario; with --store, to be listed (200)",
    )
    add("--images", dest="bench_images", type=_a(int, 1), metavar="N", help="images of each product")
    add("--latency", dest="bench_latency", type=_a(float, 0), metavar="SECONDS", help="that each call takes")
    add("--quota", dest="bench_quota", type=_quota, metavar="N", help="calls per window of 3 s; none for no quota")
    add(
        "--store",
        dest="bench_store",
        action="store_true",
        help="a read-only run against the store in the environment: it is listed, nothing else",
    )
    add(
        "--compare", dest="bench_compare", type=Path, metavar="FILE", help="an earlier --json result: show ratios to it"
    )
    add(
        "--json",
        dest="bench_json",
        action="store_true",
        help="one JSON object as the last line of standard output; the table goes to standard error",
    )


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


def chosen(arguments: argparse.Namespace) -> list[Scenario]:
    """The scenarios that the flags name, with what the flags change of them."""
    names = arguments.bench_scenarios or NAMES
    changes = {name: getattr(arguments, f"bench_{name}") for name in ("products", "images", "latency", "quota")}
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("quota") == "none":
        given["quota"] = None
    return [
        replace(scenario, **given, about=_about(scenario, given)) for scenario in SCENARIOS if scenario.name in names
    ]


def _about(scenario: Scenario, given: dict[str, Any]) -> str:
    """A scenario whose latency or quota was changed must not go on under its own description."""
    told = [
        f"{name} {value}"
        for name, value in given.items()
        if name in {"latency", "quota"} and value != asdict(scenario)[name]
    ]
    return f"{scenario.about} (but {', '.join(told)})" if told else scenario.about


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, and return the exit code."""
    from .stage import StageError  # noqa: PLC0415  # help does without

    try:
        former = _former(arguments.bench_compare)
    except (OSError, ValueError, TypeError, KeyError) as error:
        _say(f"imageferry: --compare {arguments.bench_compare}: not a result of `imageferry bench --json`: {error}")
        return 2
    try:
        results, code = _of_store(arguments) if arguments.bench_store else _of_sandbox(arguments)
    except StageError as error:
        _say(f"imageferry: {error}")
        return 1
    _show(arguments, results, former)
    return code


def _former(path: Path | None) -> list[dict[str, Any]] | None:
    if path is None:
        return None
    told = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    return [{"name": str(each["name"]), **each} for each in told["scenarios"]]


def _of_sandbox(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], int]:
    from .play import WrongError, play  # noqa: PLC0415  # help does without

    results, code = [], 0
    for scenario in chosen(arguments):
        _say(f"{scenario.about} ...")
        try:
            results.append(play(scenario))
        except WrongError as error:
            _say(f"imageferry: no figures: {error}")
            code = 1
    return results, code


def _of_store(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], int]:
    from engine.core.errors import SettingsError  # noqa: PLC0415  # help does without
    from jobs import settings  # noqa: PLC0415  # as above

    from .play import WrongError, sample  # noqa: PLC0415  # as above

    try:
        access = settings.read(argparse.Namespace()).access
    except SettingsError as error:
        _say(f"imageferry: {error}")
        return [], 2
    products = arguments.bench_products or _STORE_PRODUCTS
    _say(f"{access.store}: products are listed, up to {products:,} of them, twice; nothing is written ...")
    try:
        return [sample(asdict(access), products, {})], 0
    except WrongError as error:
        _say(f"imageferry: no figures: {error}")
        return [], 5


def _show(arguments: argparse.Namespace, results: list[dict[str, Any]], former: list[dict[str, Any]] | None) -> None:
    from .machine import machine  # noqa: PLC0415  # help does without
    from .table import compare, lines, ratio_lines  # noqa: PLC0415  # as above

    ratios = None if former is None else compare(results, former)
    told = lines(results) if results else []
    if ratios:
        told += ["", *ratio_lines(ratios)]
    if not arguments.bench_json:
        sys.stdout.write("".join(f"{line}\n" for line in told))
        return
    for line in told:
        _say(line)
    result = {"command": "bench", "machine": machine(), "scenarios": results, "ratios": ratios}
    sys.stdout.write(json.dumps(result) + "\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
