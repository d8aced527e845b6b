"""What a command answers in the end: a page for a person or one object for a script, on the right stream, and the exit code.

-q leaves only what went wrong; --json leaves standard output to the object. Notes of a run go to standard error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from imageferry.core import errors
from imageferry.core.masking import all_masked

from .. import exit_codes
from . import json_record, plan_text, run_text

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    import imageferry

    from .console import Console


class Presenter:
    """How one command tells what came of it. `checkpoint` is where it is remembered, as far as that is known."""

    def __init__(self, arguments: Namespace, console: Console) -> None:
        self.command: str = arguments.command
        self.console = console
        self.quiet: bool = arguments.quiet
        self.verbose: bool = arguments.verbose
        self.json: bool = arguments.json
        self.checkpoint: str | None = None

    def report(
        self,
        report: imageferry.Report,
        lines: Iterable[str],
        said: AbstractSet[str] = frozenset(),
        *,
        to_stderr: bool = False,
    ) -> int:
        """Tell a report that the engine came back with; `said` are sentences that were shown already."""
        self._page(report, lines, to_stderr=to_stderr)
        if not self.quiet or report.outcome != "done":
            self.console.err(note for note in report.notes if note not in said)
        self.record(json_record.report_record(self.command, report.outcome, report))
        return exit_codes.of_outcome(report.outcome)

    def _page(self, report: imageferry.Report, lines: Iterable[str], *, to_stderr: bool) -> None:
        if self.json or (self.quiet and report.outcome == "done"):
            return
        write = self.console.err if to_stderr or self.quiet else self.console.out
        write(lines)

    def proposal(self, proposal: imageferry.Proposal, *, dry_run: bool) -> int:
        """Tell a plan that nobody is going to carry out now."""
        report, refused = proposal.report, proposal.refusal is not None
        report.command = self.command
        if not self.quiet and not self.json:
            self.console.out(self.plan_page(proposal, dry_run=dry_run))
        elif refused:
            self.console.err([f"{self.command}: a guard would refuse this plan: {proposal.refusal}"])
        if not self.quiet and self.command != "undo":  # whose notes are part of the page
            self.console.err(report.notes)
        outcome = "interrupted" if proposal.plan is None else "refused" if refused else "done"
        more = {**json_record.proposal_record(proposal), "error": proposal.refusal, "dry_run": dry_run}
        self.record(json_record.report_record(self.command, outcome, report, **more))
        return exit_codes.REFUSED if refused else exit_codes.of_outcome(outcome)

    def plan_page(self, proposal: imageferry.Proposal, *, dry_run: bool) -> list[str]:
        """The page about a plan."""
        return plan_text.proposal_text(proposal, command=self.command, dry_run=dry_run, verbose=self.verbose)

    def error(self, error: errors.FerryError) -> int:
        """Tell what ended the command before its end, and what had been done by then."""
        code, outcome = exit_codes.of_error(error)
        more: dict[str, Any] = {"error": str(error)}
        if isinstance(error, errors.ManifestError):
            lines = [errors.describe(error.name, fault) for fault in error.faults]
            count = len(error.faults)
            lines.append(f"{self.command}: the manifest has {count} fault{'s' * (count != 1)}; nothing was sent.")
            more["failures"] = json_record.faults_record(error)
        else:
            lines = [run_text.error_text(self.command, error)]
        report = error.report
        if report is not None and report.created + report.updated + report.deleted + report.failed:
            lines += ["", "what was done before that:", *run_text.progress_text(report, verbose=self.verbose)]
        lines += run_text.next_after(error)
        if report is None or report.checkpoint is None:
            more["checkpoint"] = self.checkpoint
        self.console.err(lines)
        self.record(json_record.report_record(self.command, outcome, report, **more))
        return code

    def record(self, record: dict[str, Any]) -> None:
        """Print the object, where it was asked for."""
        if self.json:
            self.console.out([json.dumps(all_masked(record))])
