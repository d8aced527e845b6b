"""The parts of a run that its products share: store, journal, ledger, store traits, stop request."""

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
    """The run starts no more calls; the next run resumes this product."""


class Later(Exception):  # noqa: N818  # not an error: others go on meanwhile
    """It is too early to judge a listing: continue this product when `due` (loop time) has come."""

    def __init__(self, due: float) -> None:
        self.due = due


def seen_by(checkpoint: Checkpoint) -> StoreTraits:
    """Return the store traits that the runs of a checkpoint recorded."""
    delete_many = (checkpoint.header or {}).get("delete_many") is not False
    return StoreTraits(checkpoint.reading(), checkpoint.renames_files(), delete_many=delete_many)


@dataclass(slots=True)
class ProductIO:
    """The parts of a run that its products share.

    `delete_extra`: the run may delete (sync). `recheck_first`: list each product right before its first write (apply).
    `settle_only`: find out which unconfirmed changes have happened, and send no write. `settle_time` is in seconds.
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
        """List a product, with the addresses of its images if they are to be backed up."""
        if self.backup is None:
            return await self.store.images(product_id)
        return await self.store.images_with_urls(product_id)

    def note(self, event: events.Event) -> None:
        """Record an event in the ledger and the journal."""
        self.ledger.apply(event)
        self.journal.append(event)

    def observe(
        self,
        *,
        renames_files: bool | None = None,
        reading: RenumberingModel | None = None,
        delete_many: bool | None = None,
    ) -> None:
        """Change the store traits, and journal them so that a resumed run has them, too."""
        traits = self.traits
        was = (traits.renames_files, traits.renumbering, traits.renumbering.update_seen, traits.delete_many)
        traits.renames_files = traits.renames_files if renames_files is None else renames_files
        traits.renumbering = reading or traits.renumbering
        traits.delete_many = traits.delete_many if delete_many is None else delete_many
        model = traits.renumbering
        if was != (traits.renames_files, model, model.update_seen, traits.delete_many):
            values = {"put": model.on_update.value, "post": model.on_create, "put_seen": model.update_seen}
            self.note(
                {"event": "seen", "names_lost": traits.renames_files, **values, "delete_many": traits.delete_many}
            )

    def write_ahead(self, event: events.Event) -> Awaitable[None]:
        """Return the writing of an intent; once it is awaited, the intent is on disk and the call may be sent.

        Raises StopRequested if the run was asked to stop.
        """
        if self.stop.stopping:
            raise StopRequested
        self.ledger.apply(event)
        return self.journal.write_ahead(event)
