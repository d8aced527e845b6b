"""How a checkpoint stands: what its run has done, is doing, has left. Reads only, takes no lock, works at any moment."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ..core.errors import CheckpointError
from ..core.plan.lines import add_line
from ..core.plan.summary import Summary
from ..core.results import Report
from ..disk.checkpoint.file import Checkpoint
from ..disk.checkpoint.run_files import UNDONE
from ..disk.checkpoint.undo_state import is_undo_checkpoint, open_undo, undo_checkpoint
from ..disk.filesystem import LocalDisk
from ..disk.lock import host_elsewhere, is_alive, read_lock_info
from ..disk.plan_file import PlanFile

if TYPE_CHECKING:
    from ..disk.interface import Disk


@dataclass(slots=True)
class RunStatus:
    """`state`: none, listing, applying, finished, interrupted or died; `run`: the command; `report`: the counts.

    `host`: another machine or container, whose processes can't be seen from here.
    """

    state: str
    run: str | None
    report: Report
    pid: int | None = None
    host: str | None = None
    since: float | None = None
    changes_left: int | None = None


def status(checkpoint: str | Path) -> RunStatus:
    """How the run of this checkpoint stands.

    Raises CheckpointError where it is damaged.
    """
    path = Path(checkpoint).absolute()
    disk = LocalDisk()
    kept = _loaded(disk, path)
    holder = read_lock_info(path)
    alive = holder is not None and is_alive(holder)
    undoing = alive and holder is not None and holder["command"] == "undo"
    if undoing and not is_undo_checkpoint(path):
        # The run of this checkpoint is over; what is at work is remembered beside it.
        standing = _run_status(disk, _loaded(disk, undo_checkpoint(path)), holder, alive=True)
    else:
        standing = _run_status(disk, kept, holder, alive=alive)
        _tell_open_undo(disk, kept, standing)
    standing.report.checkpoint = str(path)
    if alive and holder is not None:
        standing.pid, standing.since = holder["pid"], holder["since"]
        standing.host = host_elsewhere(holder)
        standing.run = "undo" if undoing else standing.run or holder["command"]
    return standing


def _loaded(disk: Disk, path: Path) -> Checkpoint:
    kept = Checkpoint(disk, path, None)
    kept.load()
    return kept


def _tell_open_undo(disk: Disk, kept: Checkpoint, standing: RunStatus) -> None:
    with suppress(
        CheckpointError
    ):  # what is asked about is the run; an undo's own checkpoint can be asked about as well
        undo = open_undo(disk, kept)
        if undo is not None:
            standing.report.notes.append(undo.refusal)


def _run_status(disk: Disk, kept: Checkpoint, holder: dict[str, Any] | None, *, alive: bool) -> RunStatus:
    unfinished_as = "died" if holder is not None and not alive else "interrupted"
    if kept.open_run is not None:
        return _applying(disk, kept, "applying" if alive else unfinished_as)
    writes = alive and holder is not None and holder["command"] in {"sync", "migrate", "apply", "undo"}
    if disk.size(kept.paths.plan) and not kept.already_closed:
        return _listing(disk, kept, "listing" if writes else unfinished_as)
    if writes:
        return RunStatus("listing", None, Report("status", outcome=""))
    if kept.header is not None:
        standing = _finished(kept.header)
        if (missing := kept.missing_history()) is not None:
            standing.report.notes.append(f"{missing} is missing: without it nothing can be undone")
        return standing
    return RunStatus("none", None, Report("status", outcome=""))


def _applying(disk: Disk, kept: Checkpoint, state: str) -> RunStatus:
    unfinished = kept.open_run
    assert unfinished is not None
    report = Report("status", outcome="")
    unfinished.ledger.fill(report)
    standing = RunStatus(state, unfinished.header.get("command"), report)
    if disk.size(kept.paths.plan):
        plan = PlanFile(disk, kept.paths.plan)
        plan.summary.tell(report)
        standing.changes_left = plan.summary.changed_products - unfinished.ledger.totals.products_done
    else:
        report.notes.append(f"{kept.paths.plan} is missing: without it the run can't be gone on with")
    return standing


def _listing(disk: Disk, kept: Checkpoint, state: str) -> RunStatus:
    """The plan so far; its last line may be half written at this very moment."""
    summary = Summary()
    command: str | None = None
    for line in disk.lines(kept.paths.plan):
        try:
            row = orjson.loads(line)
            if "product_id" in row:
                add_line(summary, row)
            command = command or row.get("mode")
        except (orjson.JSONDecodeError, CheckpointError, KeyError, TypeError):
            break
    report = Report("status", outcome="")
    summary.tell(report)
    return RunStatus(state, command, report)


def _finished(header: dict[str, Any]) -> RunStatus:
    told = header.get("report", {})
    report = Report("status", outcome="")
    for name in (
        "outcome",
        "products",
        "wanted",
        "unchanged",
        "created",
        "updated",
        "deleted",
        "adopted",
        "failed",
        "unknown",
    ):
        if name in told:
            setattr(report, name, told[name])
    if header.get("state") == UNDONE:
        report.notes.append("an undo has taken back what it did, or part of it")
    return RunStatus(
        "interrupted" if header.get("state") == "interrupted" else "finished", header.get("command"), report
    )
