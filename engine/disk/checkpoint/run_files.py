"""The paths of a run's files beside its checkpoint, and what an open run left there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ...core.checkpoint.ledger import Ledger

UNDONE = "undone"
"""The state of a run that was taken back, wholly or in part."""


@dataclass(slots=True, frozen=True)
class RunFiles:
    """CHECKPOINT and what lies beside it under the same name.

    Who only looks has a `scratch` folder: temporary files go there, and copies of the unfinished run's files lie there
    once they are `copied`, since whoever holds the lock may end that run at any moment.
    """

    checkpoint: Path
    scratch: Path | None = None
    copied: bool = False

    def sibling(self, suffix: str) -> Path:
        """The file of that suffix."""
        return self.checkpoint.with_name(self.checkpoint.name + suffix)

    def temporary(self, suffix: str) -> Path:
        """A file of that suffix that nobody needs afterwards."""
        return self.sibling(suffix) if self.scratch is None else self.scratch / f"{self.checkpoint.name}{suffix}"

    @property
    def journal(self) -> Path:
        """Intents and outcomes of the unfinished run."""
        return self.temporary(".journal") if self.copied else self.sibling(".journal")

    @property
    def plan(self) -> Path:
        """The plan of the unfinished run."""
        return self.temporary(".plan") if self.copied else self.sibling(".plan")

    @property
    def history(self) -> tuple[Path, Path]:
        """Plan and journal of the last finished run that changed anything."""
        return self.sibling(".history.plan"), self.sibling(".history.journal")

    @property
    def failed_manifest(self) -> Path:
        """The products that failed, whole, as a manifest."""
        return self.sibling(".failed.jsonl")


@dataclass(slots=True)
class OpenRun:
    """A run that has not come to its end: its header, and its events folded; `torn` is where whole lines end."""

    header: dict[str, Any]
    ledger: Ledger
    whole_bytes: int
