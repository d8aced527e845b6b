"""What `apply --dry-run` shows: the plan file, checked and judged like at its start. Reads files only, sends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import engine
from engine.commands import read_plan
from engine.core.guards import Former, judge
from engine.core.report import MOST_FAILURES
from engine.options import Seams

if TYPE_CHECKING:
    from engine.core.plan import Summary


def review(access: engine.Access, plan_file: str, options: engine.Options) -> engine.Proposal:
    """The plan as `apply` would take it on: whole, for this store, under these guards.

    How long it takes is for the quota to say, which a call would have to ask: `seconds` is 0.
    Raises CheckpointError where the plan or its checkpoint is damaged or of another store.
    """
    made = read_plan(access, plan_file, Seams())
    checkpoint = options.checkpoint or Path(made.header.checkpoint)
    report = engine.Report("apply", checkpoint=str(checkpoint))
    made.summary.tell(report)
    report.failed = made.summary.failed
    for batch in made.batches():
        if len(report.failures) < MOST_FAILURES:
            report.failures += batch.failures
    former = None if made.header.selection else _former(checkpoint)
    calls = made.summary.calls(relist=True)
    refusal = _refusal(made.summary, options, former)
    path = str(Path(plan_file).absolute())
    return engine.Proposal(report, made.summary, calls, 0.0, None, path, made.digest, refusal)


def _former(checkpoint: Path) -> Former | None:
    standing = engine.status(checkpoint)
    return Former(standing.report.wanted) if standing.state == "finished" else None


def _refusal(summary: Summary, options: engine.Options, former: Former | None) -> str | None:
    try:
        judge(
            summary,
            max_deletes=options.max_deletes,
            former=former,
            allow_shrink=options.allow_shrink,
            allow_missing=options.allow_missing,
        )
    except engine.UnsafePlanError as error:
        return str(error)
    return None
