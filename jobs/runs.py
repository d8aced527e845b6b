"""One run of a command: settings in, engine at work under watch, report out as text or JSON, exit code back."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

import engine
from engine.core import errors

from . import endings, plan_view, records, reporting, settings, signals
from .plan_review import review
from .progress_display import Display, Lines, Live, Silent

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable, Iterable

    from .console import Console

T = TypeVar("T")
_CARRIERS = {"migrate": engine.migrate, "sync": engine.sync, "apply": engine.apply}


class Run:
    """A command with its flags and the two streams that it may write to."""

    def __init__(self, arguments: Namespace, console: Console) -> None:
        self.arguments = arguments
        self.command: str = arguments.command
        self.console = console
        self.quiet: bool = arguments.quiet
        self.verbose: bool = arguments.verbose
        self.json: bool = arguments.json
        self.checkpoint: str | None = None
        self._said: set[str] = set()

    def __call__(self) -> int:
        """Do it; the exit code.

        What the engine raises on purpose is told here; anything else goes up.
        """
        try:
            return self._act()
        except errors.FerryError as error:
            return self._broken_off(error)

    def _act(self) -> int:
        match self.command:
            case "status":
                return self._status()
            case "export":
                return self._export()
            case "verify":
                return self._verify()
            case "plan":
                return self._plan(delete=not self.arguments.no_delete)
            case "migrate" | "sync" if self.arguments.dry_run:
                return self._plan(delete=self.command == "sync")
            case "apply" if self.arguments.dry_run:
                return self._review()
            case _:
                return self._carry()

    def _settings(self) -> settings.Settings:
        made = settings.read(self.arguments)
        name = getattr(self.arguments, "argument", None)
        path = made.options.checkpoint
        if path is not None:
            self.checkpoint = str(path)
        elif name == "-":
            raise errors.SettingsError(
                "the manifest comes from standard input: give --checkpoint FILE, to remember the run by"
            )
        elif name is not None and self.command != "apply":
            self.checkpoint = f"{Path(name).absolute()}.checkpoint.json"
        return made

    def _carry(self) -> int:
        made = self._settings()
        act = _CARRIERS[self.command]
        report = self._watched(partial(act, made.access, self.arguments.argument, made.options))
        self._tell(report, reporting.of_run(report, verbose=self.verbose))
        return self._ended(report)

    def _looking(self) -> settings.Settings:
        """Settings of a command that only looks: an unfinished run's checkpoint stays where it is, --fresh or not."""
        made = self._settings()
        return replace(made, options=replace(made.options, fresh=False))

    def _verify(self) -> int:
        made = self._looking()
        delete = not self.arguments.no_delete
        report = self._watched(
            partial(engine.verify, made.access, self.arguments.argument, made.options, delete=delete)
        )
        self._tell(report, reporting.of_verify(report, verbose=self.verbose))
        return self._ended(report)

    def _plan(self, *, delete: bool) -> int:
        made = self._looking()
        output = getattr(self.arguments, "output", None)
        act = partial(engine.plan, made.access, self.arguments.argument, made.options, delete=delete)
        proposal = self._watched(partial(act, output=None if output is None else Path(output).absolute()))
        return self._propose(proposal, dry_run=self.command != "plan")

    def _review(self) -> int:
        made = self._settings()
        return self._propose(review(made.access, self.arguments.argument, made.options), dry_run=True)

    def _propose(self, proposal: engine.Proposal, *, dry_run: bool) -> int:
        report, refused = proposal.report, proposal.refusal is not None
        report.command = self.command
        if not self.quiet and not self.json:
            page = plan_view.of_proposal(proposal, command=self.command, dry_run=dry_run, verbose=self.verbose)
            self.console.data(page)
        elif refused:
            self.console.tell([f"{self.command}: a guard would refuse this plan: {proposal.refusal}"])
        outcome = "interrupted" if proposal.plan is None else "refused" if refused else "done"
        more = {**records.of_proposal(proposal), "error": proposal.refusal, "dry_run": dry_run}
        self._print_record(records.of_report(self.command, outcome, report, **more))
        return endings.REFUSED if refused else endings.of_outcome(outcome)

    def _export(self) -> int:
        made = self._settings()
        output = self.arguments.output
        to_stdout = output in {None, "-"}
        if to_stdout and self.json:
            raise errors.SettingsError(
                "export --json needs -o FILE: standard output can't carry the manifest and the object both"
            )
        target: Path | Callable[[bytes], None] = self._write_bytes if to_stdout else Path(output).absolute()
        report = self._watched(partial(engine.export, made.access, target, made.options))
        if to_stdout:
            self._output_bytes(self.console.flush_bytes)
        lines = reporting.of_export(report, target="standard output" if to_stdout else output, verbose=self.verbose)
        self._tell(report, lines, to_stderr=to_stdout)
        return self._ended(report)

    def _write_bytes(self, data: bytes) -> None:
        self._output_bytes(partial(self.console.bytes_out, data))

    def _output_bytes(self, act: Callable[[], None]) -> None:
        try:
            act()
        except OSError as error:
            self.console.abandon_output()
            raise errors.DiskError(
                f"standard output can't be written, the export is not whole: {error.strerror or error}"
            ) from None

    def _status(self) -> int:
        self.checkpoint = str(Path(self.arguments.argument).absolute())
        standing = engine.status(self.arguments.argument)
        since = None
        if standing.since is not None:
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(standing.since))
        if not self.quiet and not self.json:
            self.console.data(reporting.of_standing(standing, verbose=self.verbose, since=since))
        more = {"state": standing.state, "run": standing.run, "pid": standing.pid, "since": standing.since}
        more["products_left"] = standing.changes_left
        self._print_record(records.of_report("status", standing.report.outcome or None, standing.report, **more))
        return endings.OK

    def _watched(self, act: Callable[..., Awaitable[T]]) -> T:
        return anyio.run(self._watch, act)

    async def _watch(self, act: Callable[..., Awaitable[T]]) -> T:
        """Run the engine with a display and an ear for signals beside it."""
        display, stop = self._display(), engine.Stop()
        progress = engine.Progress(say=partial(self._say, display))
        made: list[T] = []
        failure: errors.FerryError | None = None
        async with anyio.create_task_group() as beside:
            beside.start_soon(signals.listen, stop, progress.say)
            beside.start_soon(display.follow, progress)
            try:
                made.append(await act(progress=progress, stop=stop))
            except errors.FerryError as error:
                failure = error
            beside.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return made[0]

    def _display(self) -> Display:
        if self.quiet:
            return Silent()
        return Live(self.console) if self.console.is_live else Lines(self.console)

    def _say(self, display: Display, sentence: str) -> None:
        self._said.add(sentence)
        display.say(sentence)

    def _tell(self, report: engine.Report, lines: Iterable[str], *, to_stderr: bool = False) -> None:
        """The page for a person; -q leaves only failures of it, --json nothing, since the object says it all."""
        notes = [note for note in report.notes if note not in self._said]
        if self.json:
            return
        if self.quiet:
            if report.outcome != "done":
                self.console.tell([*lines, *notes])
            return
        write = self.console.tell if to_stderr else self.console.data
        write([*lines, *([""] if notes else []), *notes])

    def _ended(self, report: engine.Report) -> int:
        self._print_record(records.of_report(self.command, report.outcome, report))
        return endings.of_outcome(report.outcome)

    def _broken_off(self, error: errors.FerryError) -> int:
        code, outcome = endings.of_error(error)
        more: dict[str, Any] = {"error": str(error)}
        if isinstance(error, errors.ManifestError):
            lines = [errors.describe(error.name, fault) for fault in error.faults]
            lines.append(
                f"{self.command}: the manifest has {len(error.faults)} fault{'s' * (len(error.faults) != 1)}; nothing was sent."
            )
            more["failures"] = records.of_faults(error)
        else:
            lines = [f"{self.command}: {error}"]
        report = error.report
        if report is not None and report.created + report.updated + report.deleted + report.failed:
            lines += ["", "what was done before that:", *reporting.of_progress(report, verbose=self.verbose)]
        if report is None or report.checkpoint is None:
            more["checkpoint"] = self.checkpoint
        self.console.tell(lines)
        self._print_record(records.of_report(self.command, outcome, report, **more))
        return code

    def _print_record(self, record: dict[str, Any]) -> None:
        if self.json:
            self.console.data([json.dumps(record)])
