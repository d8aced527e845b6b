"""One product carried out: creates, then updates, then deletes, with a listing after each pass that calls for one.

`core.reconcile` decides what a listing means and what is left to do, `writer` makes one call; here is their sequence:

    start -> perform -> done
                |  ^
                v  |
              recheck     after an unconfirmed create, or where a write may have moved siblings; at most `MAX_PASSES`
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...core.checkpoint.unconfirmed import resolve_writes
from ...core.diff.changes import Changes
from ...core.errors import LostError, RefusedError
from ...core.plan.batch import own_failures
from ...core.plan.failures import listing_reason, product_failures
from ...core.reconcile import closing
from ...core.reconcile.doubts import match_unconfirmed
from ...core.reconcile.remaining import MAX_LOSSES, MAX_PASSES, matches_plan, remaining_changes, unfinished
from ...core.reconcile.since_plan import is_outdated, merge_newer_identities, update_own_values
from .backing_up import back_up_gallery
from .delete_all import delete_all
from .io import Later
from .relisting import Relisting
from .writer import ProductWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.checkpoint.states import ProductLedger
    from ...core.model import StoredImage
    from ...core.plan.batch import ProductPlan
    from ...core.results import Failure
    from .io import ProductIO


class ProductReconciler:
    """One product under way. `run` is called again when the time of a `Later` has come."""

    def __init__(self, batch: ProductPlan, io: ProductIO) -> None:
        self.batch = batch
        self.io = io
        self._untouched = batch.product_id not in io.ledger.courses
        self.ledger: ProductLedger = io.ledger.course(batch.product_id)
        has_unconfirmed = any(change.unconfirmed for change in self.ledger.changes.values())
        self._reopened = batch.product_id in io.ledger.failures and not has_unconfirmed
        self.writer = ProductWriter(batch, io)
        self.rejections = self.writer.rejections
        self._relisting = Relisting(batch.product_id, io, self.ledger, self.writer.log)
        self._passes_done = 0
        self._own: list[Failure] | None = None
        self._left_listing: list[StoredImage] | None = None
        self._lost_images: set[int] = set()
        self.unlisted: list[Failure] = []

    @property
    def lost_at(self) -> float:
        """The loop time at which an answer was last lost; a restart counts as a loss."""
        return self.writer.log.lost_at

    async def run(self) -> None:
        """Reconcile the product until it matches the manifest or has failed.

        Raises Later and StopRequested, and FerryError if the whole run must stop.
        """
        with self.failing_without_listing():
            changes = await self._start()
            if not self.io.settle_only:
                await self.passes(changes)
        if not self.io.settle_only:  # a product that is only settled is not finished: its run may still be resumed
            self.finish()

    @contextmanager
    def failing_without_listing(self) -> Iterator[None]:
        """Fail the product, and not the run, if a listing can't be had."""
        try:
            yield
        except (LostError, RefusedError) as error:
            self.unlisted = product_failures(self.batch, listing_reason(error), error.status)
            self.rejections.failures += self.unlisted

    async def _start(self) -> Changes:
        """Return the plan's changes if nothing has been sent yet, else what a listing leaves to do."""
        if self.batch.missing or (not self.batch.changes and (self.batch.failures or self.batch.skipped)):
            return Changes()
        if not self._untouched:
            return await self.recheck()
        if self.io.recheck_first:
            return await self._start_from_plan()
        return self.batch.changes

    async def _start_from_plan(self) -> Changes:
        """Return the plan's changes if the product still is as the plan saw it; else it fails."""
        if self.batch.clears_gallery and not await back_up_gallery(self.io, self.batch, self.rejections):
            return Changes()
        present = await self.io.list(self.batch.product_id)
        merge_newer_identities(self.batch, present)
        if matches_plan(self.batch, present):
            self.writer.fresh_listing = present
            self.writer.log.start_round(present)
            return self.remaining(present) if is_outdated(self.batch, present) else self.batch.changes
        if self.remaining(present):
            reason = "somebody changed this product since the plan was made; it was left alone. Make a new plan"
            self.rejections.failures += product_failures(self.batch, reason)
        return Changes()

    async def passes(self, changes: Changes) -> None:
        """Perform the changes, list, and repeat with what is left; what is left after `MAX_PASSES` has failed."""
        while changes and self._passes_done <= MAX_PASSES:
            self.writer.wait_before_repeating(changes.updates)
            own = len(self.ledger.own)
            unconfirmed = await self._perform(changes)
            if not unconfirmed and not self.writer.log.relist:
                return
            # Counted when sent: the listing may come much later. A pass after which the store keeps a value of its own for
            # one more image has settled that image, and does not count.
            self._passes_done += not unconfirmed and len(self.ledger.own) == own
            changes = await self.recheck()
        self.rejections.failures += unfinished(self.batch, self.ledger, changes)

    async def recheck(self) -> Changes:
        """List the product, resolve unconfirmed changes, and return what is left to do.

        Raises Later if it is too early to know.
        """
        self._untouched = False
        present, asked = await self._relisting.relist()
        merge_newer_identities(self.batch, present)
        update_own_values(self.ledger, present)
        self.io.observe(reading=self.writer.log.round.infer(present, self.io.traits.renumbering))
        self._resolve_writes(present, asked)
        self._resolve_creates(present, asked)
        self.writer.log.start_round(present)
        self._left_listing = present
        self._lost_images = self.ledger.made.keys() - {image.image_id for image in present}
        left = self.remaining(present)
        for key in self.rejections.judge(left):
            self.writer.note("absent", key)  # a refused update never happened, and is no longer needed
        self.rejections.drop_rejected(left)
        self.rejections.drop_repeated(left)
        # The first listing of a product that had finished with failures is worth as much as the plan's.
        left.recheck = left.recheck if self._reopened else bool(left)
        self._reopened = False
        return left

    def remaining(self, present: list[StoredImage]) -> Changes:
        """Return the changes that this listing leaves to do; no deletes if anything failed."""
        found = remaining_changes(
            self.batch,
            self.ledger,
            present,
            self.io.traits.renumbering,
            self.rejections.creates,
            self.rejections.frozen_images,
            delete_extra=self.io.delete_extra,
        )
        self._own = own_failures(self.batch.product, found)
        if self.rejections.failures or self.rejections.creates:
            found.changes.deletes = []
        return found.changes

    def _resolve_writes(self, present: list[StoredImage], asked: float) -> None:
        """Note unconfirmed updates and deletes as found if they show, as absent if they do not show in time.

        Raises Later if it is too early to know.
        """
        resolved = resolve_writes(self.ledger, present)
        due = self.writer.log.lost_at + self.io.settle_time
        if asked < due and not all(shows for shows, _, _ in resolved):
            raise Later(due)
        for shows, key, more in resolved:
            happened = shows or bool(more.get("image_ids"))
            self.writer.note("found" if happened else "absent", key, **more)

    def _resolve_creates(self, present: list[StoredImage], asked: float) -> None:
        """Adopt the images of unconfirmed creates; a create that has none after the settle time did not happen.

        Raises Later if it is too early to know.
        """
        due = self.lost_at + self.io.settle_time
        renames_files = self.io.traits.renames_files
        matched = match_unconfirmed(self.batch, self.ledger, present, renames_files=renames_files, settled=asked >= due)
        self.adopt(matched.found)
        if not matched.missing:
            return
        if asked < due:
            raise Later(due)
        for row in matched.missing:
            key = f"create:{row}"
            self.writer.note("absent", key)
            if self.ledger.changes[key].failed_lookups >= MAX_LOSSES:
                reason = f"the answer to its create was lost {MAX_LOSSES} times, and it never appeared"
                self.writer.reject(row, RefusedError(reason))

    def adopt(self, found: dict[int, int]) -> None:
        """Note that creates have happened (row -> image id), and withdraw their failures."""
        for row, image_id in found.items():
            self.writer.note("found", f"create:{row}", image_id=image_id)
            self.rejections.withdraw_create(row)

    async def _perform(self, changes: Changes) -> bool:
        """Send the changes in order; return True after an unconfirmed create, which ends the pass."""
        self.writer.log.relist = changes.recheck
        self._left_listing = None
        for create in changes.creates:
            if not await self.writer.create(create):
                return True
        for update in changes.updates:
            await self.writer.update(update)
        if self.rejections.hold_deletes():
            return False
        if self.batch.clears_gallery and changes.deletes and self.io.traits.delete_many:
            await delete_all(self.writer, self.io)
            return False
        for image_id in changes.deletes:
            await self.writer.delete(image_id)
        return False

    def finish(self) -> None:
        """Note that the product is finished, with its failures; a later call replaces them."""
        self.io.note(
            closing.finished(
                self.batch,
                self.ledger,
                self.rejections.failures,
                own=self._own,
                listing=self._left_listing,
                lost_images=self._lost_images,
            )
        )
