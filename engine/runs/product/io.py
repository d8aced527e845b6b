"""What every errand works with: the store, the journal, the ledger, what the store was seen to do, and the wish to stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...core.image_format.truncated import TruncatedFiles
from ...core.reconcile.traits import StoreTraits

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from ...core.checkpoint import events
    from ...core.checkpoint.ledger import Ledger
    from ...core.diff.renumbering import RenumberingModel
    from ...core.model import StoredImage
    from ...core.reconcile.rejection_streak import Refusals
    from ...disk.checkpoint.file import Checkpoint
    from ...disk.checkpoint.journal import Journal
    from ...images.backup import Backup
    from ...progress import Progress, Stop
    from ...transport.store import Store

    Listing = list[StoredImage]


class StopRequested(Exception):  # noqa: N818  # not an error: the run was asked to stop between two calls
    """The run takes in no more work; this product is gone on with by the next one."""


class Later(Exception):  # noqa: N818  # not an error: others go on meanwhile
    """A create in doubt may still appear; look again when `due` (the loop's clock) has come."""

    def __init__(self, due: float) -> None:
        self.due = due


def seen_by(checkpoint: Checkpoint) -> StoreTraits:
    """What the store was seen to do by the runs of a checkpoint."""
    delete_many = (checkpoint.header or {}).get("delete_many") is not False
    return StoreTraits(checkpoint.reading(), checkpoint.renames_files(), delete_many=delete_many)


@dataclass(slots=True)
class ProductIO:
    """What every errand works with; `mirror` is sync, `relist` is apply's listing right before the first write.

    `settle_only` finds out what became of what was sent, and sends nothing.
    """

    store: Store
    journal: Journal
    ledger: Ledger
    stop: Stop
    progress: Progress
    traits: StoreTraits
    delete_extra: bool
    recheck_first: bool
    settle_time: float
    files: Path
    rejections: Refusals
    backup: Backup | None = None
    settle_only: bool = False
    cut: TruncatedFiles = field(default_factory=TruncatedFiles)

    async def list(self, product_id: int) -> Listing:
        """A fresh listing; with the addresses of the pictures where they are to be kept."""
        if self.backup is None:
            return await self.store.images(product_id)
        return await self.store.images_with_urls(product_id)

    def note(self, event: events.Event) -> None:
        """An outcome: into the ledger and the journal."""
        self.ledger.apply(event)
        self.journal.append(event)

    def observe(
        self,
        *,
        renames_files: bool | None = None,
        reading: RenumberingModel | None = None,
        delete_many: bool | None = None,
    ) -> None:
        """Believe what the store was seen to do from now on, and after a restart of this run as well."""
        seen = self.traits
        was = (seen.renames_files, seen.renumbering, seen.renumbering.update_seen, seen.delete_many)
        seen.renames_files = seen.renames_files if renames_files is None else renames_files
        seen.renumbering = reading or seen.renumbering
        seen.delete_many = seen.delete_many if delete_many is None else delete_many
        model = seen.renumbering
        if was != (seen.renames_files, model, model.update_seen, seen.delete_many):
            told = {"put": model.on_update.value, "post": model.on_create, "put_seen": model.update_seen}
            self.note({"event": "seen", "names_lost": seen.renames_files, **told, "delete_many": seen.delete_many})

    def write_ahead(self, event: events.Event) -> Awaitable[None]:
        """An intent, to be awaited: then it is on disk, and the call may go.

        Raises Drained where the run has been asked to stop.
        """
        if self.stop.stopping:
            raise StopRequested
        self.ledger.apply(event)
        return self.journal.write_ahead(event)
