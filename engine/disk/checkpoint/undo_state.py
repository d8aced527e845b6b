"""Whether an undo of a checkpoint's last run is open: it has begun to write, and has not come to its end.

Nothing else may write by that checkpoint meanwhile, or what the undo had still to take back could never be. An undo that
was killed before it sent anything is not open, nor is one of an earlier run, nor one that was given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from ...core.checkpoint.records import is_whole, unseal
from .file import Checkpoint
from .run_files import UNDONE

if TYPE_CHECKING:
    from pathlib import Path

    from ..interface import Disk

GIVEN_UP = "given up"
"""The state of an undo that somebody gave up with --fresh."""
_SENT = b'{"event":"sent"'


_SUFFIX = ".undo.json"


def undo_checkpoint(checkpoint: Path) -> Path:
    """Where an undo of this checkpoint's run is remembered."""
    return checkpoint.with_name(checkpoint.name + _SUFFIX)


def is_undo_checkpoint(path: Path) -> bool:
    """Whether a checkpoint is an undo's own."""
    return path.name.endswith(_SUFFIX)


@dataclass(slots=True)
class OpenUndo:
    """An undo that is open: its own checkpoint, and the one whose run it takes back."""

    own: Checkpoint
    checkpoint: Path

    @property
    def refusal(self) -> str:
        """Why nothing else may write now, and what to do."""
        return (
            f"an undo of the last run of this checkpoint has begun and is not finished ({self.own.paths.checkpoint}): what it has still "
            f"to take back could never be taken back after another run. Finish it with `imageferry undo {self.checkpoint}`, or give it up "
            "with --fresh: what it took back stays taken back, and the rest stays as the run made it"
        )


def open_undo(disk: Disk, done: Checkpoint) -> OpenUndo | None:
    """The undo of this checkpoint's last run that is open, None where there is none.

    Raises CheckpointError where what it left is damaged.
    """
    own = Checkpoint(disk, undo_checkpoint(done.paths.checkpoint), done.store)
    own.load()
    digest = _last_plan(disk, done)
    if digest is None or not _is_open(disk, done, own, digest):
        return None
    return OpenUndo(own, done.paths.checkpoint)


def _is_open(disk: Disk, done: Checkpoint, own: Checkpoint, digest: str) -> bool:
    if own.open_run is not None:
        return _undoes(disk, own.paths.plan, digest) and _has_sent(disk, own.paths.journal)
    mine, theirs = own.header or {}, done.header or {}
    state = mine.get("state")
    plan = own.paths.plan if own.already_closed and disk.size(own.paths.plan) else own.paths.history[0]
    if state == GIVEN_UP or not disk.size(plan) or not _undoes(disk, plan, digest):
        return False
    # It has written, and its checkpoint is newer than the run's: it was replaced by a new plan that never began, or the
    # run's checkpoint has not been told of it.
    newer = float(mine.get("finished_at", 0.0)) >= float(theirs.get("finished_at", 0.0))
    return newer and (state == "interrupted" or theirs.get("state") != UNDONE)


def _last_plan(disk: Disk, done: Checkpoint) -> str | None:
    """The digest of the plan of the last run that changed anything."""
    for journal in (done.paths.journal, done.paths.history[1]):
        line = next(iter(disk.lines(journal)), b"") if disk.size(journal) else b""
        if is_whole(line):
            return str(unseal(line).get("plan"))
    return None


def _undoes(disk: Disk, plan: Path, digest: str) -> bool:
    """Whether an undo's plan is for the run of that plan; one that can't be read is taken to be."""
    line = next(iter(disk.lines(plan)), b"") if disk.size(plan) else b""
    try:
        row: Any = orjson.loads(line)
        return bool(row["digest"] == digest)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return True


def _has_sent(disk: Disk, journal: Path) -> bool:
    """Whether it has sent anything: an intent is on disk before its call goes out."""
    return any(line.startswith(_SENT) and is_whole(line) for line in disk.lines(journal))


def set_aside(disk: Disk, done: Checkpoint, now: int) -> list[Path]:
    """Rename what an undo left that can't be read; returns the new names."""
    own = Checkpoint(disk, undo_checkpoint(done.paths.checkpoint), done.store)
    aside = own.archive(now)
    for path in (own.paths.checkpoint, *own.paths.history):
        if disk.size(path) is not None:
            to = path.with_name(f"{path.name}.aside-{now}")
            disk.rename(path, to)
            aside.append(to)
    return aside
