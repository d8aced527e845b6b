"""One benchmark run: the scenarios one after the other, or a real store, and what is told of them in the end."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from imageferry.core.errors import SettingsError

from .. import exit_codes
from ..cli import settings
from ..output import json_record
from .baseline import Baseline, BaselineError, read
from .figures import COUNTS
from .measure.machine import machine
from .measure.processes import ProcessError
from .run_scenario import WrongError, play, sample
from .selection import chosen, misfit
from .table import compare, lines, ratio_lines

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..output.console import Console

    Play = Callable[[], dict[str, Any]]

_STORE_PRODUCTS = 200
_PACE = ("concurrency", "rate", "quota_share", "give_up_after")


class BenchCommand:
    """The command with its flags, and the streams that it may write to."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        self._arguments = arguments
        self._console = console
        self._began = time.perf_counter()
        self._results: list[dict[str, Any]] = []
        self._wrong: list[str] = []
        self._ending = (exit_codes.OK, "done")

    def __call__(self) -> int:
        """Measure and tell; the exit code."""
        sentence = misfit(self._arguments)
        if sentence is not None:
            return self._unusable(sentence)
        try:
            path = self._arguments.bench_compare
            former = None if path is None else read(path)
            self._store() if self._arguments.bench_store else self._scenarios()
        except (BaselineError, SettingsError) as error:
            return self._unusable(str(error))
        self._show(former)
        return self._ending[0]

    def _unusable(self, sentence: str) -> int:
        self._console.err([f"imageferry: {sentence}"])
        self._record("invalid", None, error=sentence)
        return exit_codes.INVALID

    def _scenarios(self) -> None:
        for scenario in chosen(self._arguments):
            self._say(f"{scenario.about} ...")
            self._one(partial(play, scenario))

    def _store(self) -> None:
        made = settings.read(self._arguments)
        products = self._arguments.bench_products or _STORE_PRODUCTS
        options = {name: getattr(made.options, name) for name in _PACE}
        store = made.access.store
        self._say(f"{store}: up to {products:,} products are listed, twice; nothing is written ...")
        self._one(partial(sample, asdict(made.access), products, options))

    def _say(self, sentence: str) -> None:
        if not self._arguments.bench_quiet:
            self._console.err([sentence])

    def _one(self, measure: Play) -> None:
        """Measure once; what went wrong is said, and the figures of the others are given all the same."""
        try:
            self._results.append(measure())
        except WrongError as error:
            self._no_figures(str(error), error.code, error.outcome)
        except (ProcessError, URLError) as error:
            self._no_figures(str(error), exit_codes.FAILED, "failed")
        except OSError as error:
            self._no_figures(f"the disk failed under the temporary folder: {error}", exit_codes.DISK, "disk")

    def _no_figures(self, sentence: str, code: int, outcome: str) -> None:
        self._console.err([f"imageferry: no figures: {sentence}"])
        self._wrong.append(sentence)
        self._ending = (code, outcome)

    def _show(self, former: Baseline | None) -> None:
        ratios = None if former is None else compare(self._results, former.scenarios)
        notes = former.differences(machine()) if former and ratios else []
        told = lines(self._results) if self._results else []
        if ratios:
            told += ["", *ratio_lines(ratios), *notes]
        if not self._arguments.bench_json:
            self._console.out(told)
        elif not self._arguments.bench_quiet:
            self._console.err(told)
        more = {"error": "; ".join(self._wrong)} if self._wrong else {}
        self._record(self._ending[1], ratios, notes=notes, **more)

    def _record(self, outcome: str, ratios: list[dict[str, Any]] | None, **more: Any) -> None:
        """The contract's object, its counts summed over what was measured, and the scenarios beside it."""
        if not self._arguments.bench_json:
            return
        sums = {name: sum(each[name] for each in self._results) for name in ("products", *COUNTS, *_TRAFFIC.values())}
        counts = {name: sums[name] for name in ("products", *COUNTS)}
        counts |= {name: sums[here] for name, here in _TRAFFIC.items()}
        counts["elapsed_s"] = time.perf_counter() - self._began
        own = {"machine": machine(), "scenarios": self._results, "ratios": ratios}
        failures = [_FAILURE | {"reason": sentence} for sentence in self._wrong]
        record = json_record.report_record("bench", outcome, None, **counts, failures=failures, **own, **more)
        self._console.out([json.dumps(record)])


_TRAFFIC = {"requests": "calls", "throttled": "throttled", "retried": "retried"}
_FAILURE = dict.fromkeys(("product_id", "image_file", "image_id", "line", "field", "status"))
