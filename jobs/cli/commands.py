"""One run of a command: settings in, engine at work under watch, report out as text or JSON, exit code back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import imageferry
from imageferry.clock import shown_time
from imageferry.core import errors

from .. import exit_codes
from ..output import json_record, run_text
from ..output.presenter import Presenter
from ..output.progress import Display, Lines, Live, Silent
from . import settings, signals
from .confirm import Approval
from .runner import EngineRunner

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable

    from ..output.console import Console

_CARRIERS = {"migrate": imageferry.migrate, "sync": imageferry.sync, "apply": imageferry.apply}


class CommandRun:
    """A command with its flags and the two streams that it may write to."""

    def __init__(self, arguments: Namespace, console: Console) -> None:
        self.arguments = arguments
        self.command: str = arguments.command
        self.console = console
        self.telling = Presenter(arguments, console)

    def __call__(self) -> int:
        """Do it; the exit code.

        What the engine raises on purpose is told here; anything else goes up.
        """
        try:
            return self._act()
        except errors.FerryError as error:
            return self.telling.error(error)

    def _act(self) -> int:
        match self.command:
            case "status":
                return self._status()
            case "export":
                return self._export()
            case "verify":
                return self._verify()
            case "undo":
                return self._undo()
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
            self.telling.checkpoint = str(path)
        elif name == "-" and self.command not in {"apply", "undo"}:
            raise errors.SettingsError(
                "the manifest comes from standard input: give --checkpoint FILE, to remember the run by"
            )
        elif name is not None and self.command != "apply":
            suffix = ".undo.json" if self.command == "undo" else ".checkpoint.json"
            self.telling.checkpoint = f"{Path(name).absolute()}{suffix}"
        return made

    def _carry(self) -> int:
        made, watch = self._settings(), self._watch()
        act = _CARRIERS[self.command]
        report = watch.run(partial(act, made.access, self.arguments.argument, made.options))
        return self._tell_run(report, watch)

    def _tell_run(self, report: imageferry.Report, watch: EngineRunner, shown: Iterable[str] = ()) -> int:
        """A run that came to its end; notes that were `shown` on the plan's page, or said meanwhile, aren't repeated."""
        stopped = watch.stop.reason
        lines = run_text.run_text(report, verbose=self.telling.verbose, stopped=stopped)
        return self.telling.report(report, lines, {*watch.said, *shown, stopped or ""})

    def _undo(self) -> int:
        made, watch = self._settings(), self._watch()
        dry_run: bool = self.arguments.dry_run
        approval = Approval(self.telling, watch, dry_run=dry_run, yes=self.arguments.yes)
        act = partial(
            imageferry.undo, made.access, self.arguments.argument, made.options, approve=approval, dry_run=dry_run
        )
        try:
            report = watch.run(act)
        except errors.UnsafePlanError as error:
            if approval.proposal is not None and dry_run:
                return self.telling.proposal(approval.proposal, dry_run=True)
            if error.report is None or not watch.stop.stopping:
                raise
            report = replace(error.report, outcome="interrupted")
        return self._tell_run(report, watch, approval.losses)

    def _looking(self) -> settings.Settings:
        """Settings of a command that only looks: an unfinished run's checkpoint stays where it is, --fresh or not."""
        made = self._settings()
        return replace(made, options=replace(made.options, fresh=False))

    def _verify(self) -> int:
        made, watch = self._looking(), self._watch()
        delete = not self.arguments.no_delete
        report = watch.run(
            partial(imageferry.verify, made.access, self.arguments.argument, made.options, delete=delete)
        )
        return self.telling.report(report, run_text.verify_text(report, verbose=self.telling.verbose), watch.said)

    def _plan(self, *, delete: bool) -> int:
        made = self._looking()
        output = getattr(self.arguments, "output", None)
        dry_run = self.command != "plan"
        act = partial(
            imageferry.plan, made.access, self.arguments.argument, made.options, delete=delete, dry_run=dry_run
        )
        proposal = self._watch().run(partial(act, output=None if output is None else Path(output).absolute()))
        return self.telling.proposal(proposal, dry_run=dry_run)

    def _review(self) -> int:
        made = self._looking()
        proposal = self._watch().run(partial(imageferry.review, made.access, self.arguments.argument, made.options))
        return self.telling.proposal(proposal, dry_run=True)

    def _export(self) -> int:
        output = self.arguments.output
        to_stdout = output in {None, "-"}
        made, watch = self._settings(), self._watch(drawn=not (to_stdout and self.console.shows_output))
        if to_stdout and self.telling.json:
            raise errors.SettingsError(
                "export --json needs -o FILE: standard output can't carry the manifest and the object both"
            )
        target: Path | Callable[[bytes], None] = self._write_bytes if to_stdout else Path(output).absolute()
        report = watch.run(partial(imageferry.export, made.access, target, made.options))
        if to_stdout:
            self._output_bytes(self.console.flush_bytes)
        shown = "standard output" if to_stdout else output
        lines = run_text.export_text(report, target=shown, verbose=self.telling.verbose)
        return self.telling.report(report, lines, watch.said, to_stderr=to_stdout)

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
        path = settings.path_of(self.arguments.argument)
        self.telling.checkpoint = str(path)
        standing = imageferry.status(path)
        signals.over()
        since = None if standing.since is None else shown_time(standing.since)
        if not self.telling.quiet and not self.telling.json:
            self.console.out(run_text.status_text(standing, verbose=self.telling.verbose, since=since))
        more = {"state": standing.state, "run": standing.run, "pid": standing.pid, "since": standing.since}
        more["host"] = standing.host
        more["products_left"] = standing.changes_left
        outcome = standing.report.outcome or None
        self.telling.record(json_record.report_record("status", outcome, standing.report, **more))
        return exit_codes.OK

    def _watch(self, *, drawn: bool = True) -> EngineRunner:
        """`drawn`: progress may be drawn on the terminal, for nothing else is written there meanwhile."""
        return EngineRunner(self._display(drawn=drawn))

    def _display(self, *, drawn: bool) -> Display:
        if self.telling.quiet or (self.console.is_live and not drawn):
            return Silent(self.console)
        return Live(self.console) if self.console.is_live else Lines(self.console)
