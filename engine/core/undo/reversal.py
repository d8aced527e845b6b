"""What taking one product back comes to: the plan, what is skipped, what is lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..plan.batch import ProductPlan
    from ..results import Failure

CHANGED = "somebody changed it since the run; it was left alone"


LOST = "the run deleted it, and it can't come back: {}; give undo again with the --backup folder of the run"


HELD = "the run made it, and it stays, because former images of this product can't come back; --allow-loss deletes it all the same"


NOT_KEPT = "there is no picture of it in the backup"


@dataclass(slots=True)
class BackupCopy:
    """What undo must know of a picture in the backup: every file that it was kept as, and the one of them to upload.

    `original`: that is no rendition. Where `file` is None, `fault` says why none of them will do.
    """

    files: tuple[str, ...]
    file: str | None = None
    original: bool = False
    fault: str = NOT_KEPT


@dataclass(slots=True)
class Reversal:
    """The batch that takes one product back, what is left alone, and what can't come back exactly (sentences)."""

    batch: ProductPlan
    skipped: list[Failure] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
