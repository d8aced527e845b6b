"""One product's errand: its creates, then updates, then deletes, looked at again where that is called for.

What is to be done is decided in core (plan, settle, mend), how one call is made in `runs/product/writer.py`; here is the course of it all.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import anyio

from ...clock import loop_time
from ...core.checkpoint.states import State
from ...core.checkpoint.unconfirmed import resolve_writes
from ...core.diff.changes import Changes
from ...core.errors import LostError, RefusedError
from ...core.identities import with_listed_order
from ...core.plan.batch import own_failures
from ...core.plan.failures import duplicate_image, image_failure, listing_reason, product_failures, unexplained_image
from ...core.reconcile.doubts import match_unconfirmed
from ...core.reconcile.duplicates import duplicates, retried_in
from ...core.reconcile.remaining import (
    MAX_LOSSES,
    MAX_PASSES,
    identities_after,
    matches_plan,
    remaining_changes,
    unfinished,
)
from .delete_all import delete_all
from .io import Later, StopRequested
from .relisting import Relisting
from .writer import ProductWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.checkpoint import events
    from ...core.checkpoint.states import ProductLedger
    from ...core.model import StoredImage
    from ...core.plan.batch import ProductPlan
    from ...core.results import Failure
    from .io import ProductIO


class ProductReconciler:
    """One product on its way; `run` may be called again after SetAside."""

    def __init__(self, batch: ProductPlan, io: ProductIO) -> None:
        self.batch = batch
        self._io = io
        self._untouched = batch.product_id not in io.ledger.courses
        self.course: ProductLedger = io.ledger.course(batch.product_id)
        in_doubt = any(change.unconfirmed for change in self.course.changes.values())
        self._reopened = batch.product_id in io.ledger.failures and not in_doubt
        self._writer = ProductWriter(batch, io)
        self._relisting = Relisting(batch.product_id, io, self.course, self._writer)
        self._passes_done = 0
        self._own: list[Failure] | None = None
        self._left_listing: list[StoredImage] | None = None
        self._lost_images: set[int] = set()
        self._unlisted: list[Failure] = []

    @property
    def lost_at(self) -> float:
        """When an answer to a create was last lost (the loop's clock); a restart begins the settling anew."""
        return self._writer.lost_at

    async def run(self) -> None:
        """Do what is left until the product is as asked or has failed.

        Raises SetAside and Drained, and FerryError where the whole run must stop.
        """
        with self._failing_without_listing():
            changes = await self._start()
            if not self._io.settle_only:
                await self._passes(changes)
        if not self._io.settle_only:  # what is settled is known, not done: the run may still be gone on with
            self._finish()

    @contextmanager
    def _failing_without_listing(self) -> Iterator[None]:
        """What is done in here needs listings; where one can't be had, the product fails, and the others go on."""
        try:
            yield
        except (LostError, RefusedError) as error:
            self._unlisted = product_failures(self.batch, listing_reason(error), error.status)
            self._writer.failures += self._unlisted

    async def _start(self) -> Changes:
        """The plan's changes where nothing has happened yet, else what a fresh look leaves to do."""
        if self.batch.missing or (not self.batch.changes and (self.batch.failures or self.batch.skipped)):
            return Changes()
        if not self._untouched:
            return await self._recheck()
        if self._io.recheck_first:
            return await self._start_from_plan()
        return self.batch.changes

    async def _start_from_plan(self) -> Changes:
        if self.batch.clears_gallery and not await self._writer.back_up_gallery():
            return Changes()
        present = await self._io.list(self.batch.product_id)
        self._merge_newer_identities(present)
        if matches_plan(self.batch, present):
            self._writer.listing = present
            self._writer.show(present)
            return self._remaining(present) if self._is_outdated(present) else self.batch.changes
        if self._remaining(present):
            reason = "somebody changed this product since the plan was made; it was left alone. Make a new plan"
            self._writer.failures += product_failures(self.batch, reason)
        return Changes()

    def _merge_newer_identities(self, present: list[StoredImage]) -> None:
        """Take over what was remembered since the plan was made, but for images that are gone where the plan knows others."""
        ids = {image.image_id for image in present}
        for source, pair in self.batch.newer_identities.items():
            if pair[0] in ids or self.batch.identities.get(source, (0,))[0] not in ids:
                self.batch.identities[source] = pair
        self.batch.newer_identities = {}

    def _is_outdated(self, present: list[StoredImage]) -> bool:
        """Whether the plan would make an image that is known by now to be there: a doubt was settled since it was made."""
        ids = {image.image_id for image in present}
        for create in self.batch.changes.creates:
            known_id = self.batch.identities.get(self.batch.product.images[create.row].image_file, (0,))[0]
            if known_id in ids and known_id != create.replaces:
                return True
        return False

    async def _passes(self, changes: Changes) -> None:
        while changes and self._passes_done <= MAX_PASSES:
            self._writer.wait_before_repeating(changes.updates)
            own = len(self.course.own)
            unconfirmed = await self._perform(changes)
            if not unconfirmed and not self._writer.relist:
                return
            # Counted when it is sent: what a look finds may be told much later. One that showed of an image that the store
            # keeps values of its own has settled that image, and is no vain one.
            self._passes_done += not unconfirmed and len(self.course.own) == own
            changes = await self._recheck()
        self._writer.failures += unfinished(self.batch, self.course, changes)

    async def _recheck(self) -> Changes:
        """List the product, settle what is in doubt, and see what is left."""
        self._untouched = False
        present, asked = await self._relisting.relist()
        self._merge_newer_identities(present)
        self._update_own_values(present)
        self._io.observe(reading=self._writer.round.infer(present, self._io.traits.renumbering))
        self._resolve_writes(present, asked)
        self._resolve_creates(present, asked)
        self._writer.show(present)
        self._left_listing = present
        self._lost_images = self.course.made.keys() - {image.image_id for image in present}
        left = self._without_repeated(self._without_rejected(self._remaining(present)))
        # The first listing of a product that was finished with failures tells as much as a plan's does.
        left.recheck = left.recheck if self._reopened else bool(left)
        self._reopened = False
        return left

    def _update_own_values(self, present: list[StoredImage]) -> None:
        """A sort order of the store's own is what a look shows: later writes may have moved it."""
        by_id = {image.image_id: image for image in present}
        for image_id, own in self.course.own.items():
            self.course.own[image_id] = with_listed_order(own, by_id.get(image_id))

    def _without_repeated(self, left: Changes) -> Changes:
        """An update that was answered as often as a product is mended, and still is not as asked, fails; no other image does."""
        repeated = [u for u in left.updates if self.course.confirmed(u.image_id) > MAX_PASSES]
        if repeated:
            self._writer.failures += unfinished(self.batch, self.course, Changes(updates=repeated))
            self._writer.frozen_images |= {update.image_id for update in repeated}
            left.updates = [update for update in left.updates if update not in repeated]
            left.deletes = []
        return left

    def _resolve_writes(self, present: list[StoredImage], asked: float) -> None:
        """Updates and deletes in doubt: what shows has happened, what doesn't show in time has not.

        Raises SetAside where it is too early to tell.
        """
        told = resolve_writes(self.course, present)
        due = self._writer.lost_at + self._io.settle_time
        if asked < due and not all(shows for shows, _, _ in told):
            raise Later(due)
        for shows, key, more in told:
            happened = shows or bool(more.get("image_ids"))
            self._writer.note("found" if happened else "absent", key, **more)

    def _without_rejected(self, left: Changes) -> Changes:
        """What the store refused to update, or to delete, and still is not as asked has failed; it is not sent again in this run."""
        writes = self._writer
        for update in left.updates:
            error = writes.rejected_updates.get(update.image_id)
            if error is not None:
                writes.frozen_images.add(update.image_id)
                writes.failures.append(image_failure(self.batch, update.image_id, error.reason, error.status))
        for image_id in writes.rejected_updates.keys() - writes.frozen_images:
            key = f"update:{image_id}"
            if self.course.changes[key].state == State.FAILED:
                writes.note("absent", key)  # what was refused never happened, and by now it needn't
        writes.rejected_updates.clear()
        for image_id, error in writes.unconfirmed_deletes.items():
            if self.course.changes[f"delete:{image_id}"].state != State.DONE:
                writes.failures.append(image_failure(self.batch, image_id, error.reason, error.status))
        writes.unconfirmed_deletes.clear()
        left.updates = [update for update in left.updates if update.image_id not in writes.frozen_images]
        if writes.failures:
            left.deletes = []
        return left

    def _remaining(self, present: list[StoredImage]) -> Changes:
        tools = self._io
        found = remaining_changes(
            self.batch,
            self.course,
            present,
            tools.traits.renumbering,
            self._writer.rejected_creates,
            self._writer.frozen_images,
            delete_extra=tools.delete_extra,
        )
        self._own = own_failures(self.batch.product, found)
        if self._writer.failures or self._writer.rejected_creates:
            found.changes.deletes = []
        return found.changes

    def _resolve_creates(self, present: list[StoredImage], asked: float) -> None:
        """Adopt what has appeared; a create that has not is waited for once, then it is taken not to have happened.

        Raises SetAside where its time has not come.
        """
        due = self.lost_at + self._io.settle_time
        renames_files = self._io.traits.renames_files
        matched = match_unconfirmed(self.batch, self.course, present, renames_files=renames_files, settled=asked >= due)
        self._adopt(matched.found)
        if not matched.missing:
            return
        if asked < due:
            raise Later(due)
        for row in matched.missing:
            key = f"create:{row}"
            self._writer.note("absent", key)
            if self.course.changes[key].failed_lookups >= MAX_LOSSES:
                self._writer.reject(
                    row, RefusedError(f"the answer to its create was lost {MAX_LOSSES} times, and it never appeared")
                )

    def _adopt(self, found: dict[int, int]) -> None:
        """These rows have their images after all; one that was refused when it was sent again is no failure any more."""
        for row, image_id in found.items():
            self._writer.note("found", f"create:{row}", image_id=image_id)
            self._writer.withdraw_rejection(row)

    async def _perform(self, changes: Changes) -> bool:
        """Send the changes in order; True where one is in doubt, and then nothing more was sent."""
        self._writer.relist = changes.recheck
        self._left_listing = None
        for create in changes.creates:
            if not await self._writer.create(create):
                return True
        for update in changes.updates:
            await self._writer.update(update)
        if self._writer.failures or self._writer.rejected_creates or self._writer.rejected_updates:
            return False
        if self.batch.clears_gallery and changes.deletes and self._io.traits.delete_many:
            await delete_all(self._writer, self._io)
            return False
        for image_id in changes.deletes:
            await self._writer.delete(image_id)
        return False

    async def final_check(self) -> None:
        """At the end: is there a twin of a create that was sent again? `sync` takes a single one away.

        Raises Drained where the run has been asked to stop.
        """
        if self._io.stop.stopping:
            raise StopRequested
        try:
            present = await self._io.list(self.batch.product_id)
        except (LostError, RefusedError) as error:
            self._writer.failures.append(
                image_failure(self.batch, None, f"its last look failed: {error.reason}", error.status)
            )
            self._finish()
            self._record_settled()
            return
        matched = match_unconfirmed(self.batch, self.course, present, renames_files=False)
        if matched.found or self._unlisted:
            await self._continue_with(matched.found, present)
        strangers = [image for image in matched.unexplained if image.image_id not in self.course.made]
        left = len(self._writer.failures)
        await self._delete_duplicates(strangers)
        if self.course.abandoned() and not self._io.traits.renames_files:
            self._writer.failures += [unexplained_image(self.batch, image) for image in strangers]
        if len(self._writer.failures) > left:
            self._finish()
        self._record_settled()

    async def _delete_duplicates(self, unexplained: list[StoredImage]) -> None:
        renames_files = self._io.traits.renames_files
        for row, alike in duplicates(self.batch, self.course, unexplained, renames_files=renames_files).items():
            if self._io.delete_extra and len(alike) == 1 and not renames_files:
                await self._writer.delete(alike[0].image_id, alike[0])
            else:
                self._writer.failures += [duplicate_image(self.batch, row, image) for image in alike]
        if self._writer.unconfirmed_deletes:
            await self._to_the_end(None)

    async def _continue_with(self, found: dict[int, int], present: list[StoredImage]) -> None:
        """What had failed has appeared, or can be listed again: do what was held back for it."""
        self._adopt(found)
        unlisted, self._unlisted = self._unlisted, []
        self._writer.failures = [failure for failure in self._writer.failures if failure not in unlisted]
        # Where no look was possible, more is in doubt than what a last look may adopt.
        await self._to_the_end(None if unlisted else self._remaining(present))
        self._finish()

    async def _to_the_end(self, changes: Changes | None) -> None:
        """Do these changes, or what a look leaves to do; what has to settle is waited for, as nobody comes back to it.

        Raises Drained where the run is asked to stop meanwhile.
        """
        with self._failing_without_listing():
            while True:
                try:
                    await self._passes(await self._recheck() if changes is None else changes)
                except Later as aside:
                    changes = None
                    await self._wait_until(aside.due)
                else:
                    return

    async def _wait_until(self, due: float) -> None:
        stop = self._io.stop
        with anyio.move_on_after(max(0.0, due - loop_time())) as scope:
            stop.on_stop(scope.cancel)
            await anyio.sleep_forever()
        if stop.stopping:
            raise StopRequested

    def _record_settled(self) -> None:
        """The last look is over. What may still come after it, and a twin that was left, is for the next run to notice."""
        event: events.Event = {"event": "settled", "product_id": self.batch.product_id}
        resent = retried_in(self.batch, self.course)
        if resent:
            event["resent"] = resent
        self._io.note(event)

    def _finish(self) -> None:
        # Without any look since, what was remembered after the plan had been made is the best there is.
        self.batch.identities |= self.batch.newer_identities
        memory = identities_after(self.batch, self.course, self._lost_images)
        event: events.Event = {"event": "finished", "product_id": self.batch.product_id, "images": memory}
        event["counts"] = self.course.counts()
        if self._left_listing:
            event["orders"] = [(image.image_id, image.sort_order) for image in self._left_listing]
        # What the plan knew of the store's own values holds where nobody has looked since.
        alone = [failure for failure in self.batch.skipped if failure.field is None or self._own is None]
        failures = self._writer.failures + alone + (self._own or [])
        if failures:
            event["failures"] = [asdict(failure) for failure in failures]
        self._io.note(event)
