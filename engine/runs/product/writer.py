"""The writes to one product, one call each: the intent into the journal, the call, its outcome into the journal."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...clock import loop_time
from ...core.checkpoint import events
from ...core.checkpoint.states import State
from ...core.errors import (
    ENDS_RUN,
    DiskError,
    ForbiddenError,
    LostError,
    MissingError,
    RefusedError,
    StoppedError,
)
from ...core.identities import changed_by_store
from ...core.image_files import cut_key, kind, same_name
from ...core.plan.failures import image_failure, row_failure
from ...core.reconcile.rejections import Rejections
from ...core.reconcile.remaining import MAX_LOSSES
from ...core.reconcile.write_log import WriteLog
from ...disk.local_images import path_to_upload
from ...transport.unsent import NotSent
from .backing_up import back_up
from .io import Later, ProductIO, StopRequested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...core.diff.changes import Create, Update
    from ...core.model import StoredImage
    from ...core.plan.batch import ProductPlan
    from ...core.results import Failure


class ProductWriter:
    """Sends the writes of one product, and records them in its log and its rejections. Decides no order."""

    def __init__(self, batch: ProductPlan, io: ProductIO) -> None:
        self.batch = batch
        self._io = io
        self._ledger = io.ledger.course(batch.product_id)
        self.rejections = Rejections(batch, self._ledger)
        self.log = WriteLog(self._ledger, batch.present, loop_time())
        self._counted = {key for key, change in self._ledger.changes.items() if change.state == State.DONE}
        self.fresh_listing: list[StoredImage] | None = None

    def note(self, kind_of_event: str, key: str, **more: Any) -> None:
        """Record the outcome of a change in the ledger and the journal."""
        if kind_of_event == "confirmed":
            self.log.wrote_at = loop_time()
        self._io.note(events.outcome(kind_of_event, self.batch.product_id, key, **more))

    async def create(self, create: Create) -> bool:
        """Send one create; return False if its outcome is unknown."""
        image = self.batch.product.images[create.row]
        key = f"create:{create.row}"
        try:
            picture = self._picture(image.image_file)
        except RefusedError as error:
            self.reject(create.row, error)
            return True
        await self.intend(events.sent(self.batch.product_id, key, fields=create.fields))
        try:
            with self.under_way(key):
                made = await self._io.store.create(self.batch.product_id, image.image_file, create.fields, picture)
        except LostError as error:
            self._lost(error)
            self.note("lost", key, reason=error.reason)
            return False
        except RefusedError as error:
            self.reject(create.row, error)
            self._count_rejection(error, create=True)
            return True
        self._io.rejections.accepted()
        self.note("confirmed", key, image_id=made.image_id, **_own(create.fields, made))
        self.log.round.created(made.image_id, create.fields)
        self.log.confirm(made, create.fields)
        self._compare(made, image.image_file, create.fields)
        self.count(key)
        return True

    def count(self, key: str, images: int = 1) -> None:
        """Count the change as done in the progress, once, however often it is sent."""
        if key not in self._counted:
            self._counted.add(key)
            self._io.progress.images_done += images

    async def intend(self, event: events.Event) -> None:
        """Write an intent ahead; if that is cancelled or fails, note that nothing was sent.

        Raises StopRequested, DiskError.
        """
        try:
            await self._io.write_ahead(event)
        except (asyncio.CancelledError, DiskError):
            self.note("deferred", event["change"])
            raise

    @contextmanager
    def under_way(self, key: str, *, sent_before: bool = False) -> Iterator[None]:
        """Note a call that ends the run as not sent, unless it may have happened: then it stays unconfirmed.

        Raises StopRequested if the run was asked to stop, ForbiddenError or UnreachableError if the store ended it.
        """
        try:
            yield
        except NotSent:
            if not sent_before:
                self.note("deferred", key)
            raise
        except ENDS_RUN as error:
            if not (error.may_have_happened or sent_before):
                self.note("deferred", key)
            if isinstance(error, StoppedError):
                raise StopRequested from None
            raise

    def _lost(self, error: LostError) -> None:
        """Record a lost answer to a create; if the store named a retry time, no listing comes before it."""
        self.log.lost_at = loop_time() + max(0.0, (error.after or 0.0) - self._io.settle_time)

    def _picture(self, image_file: str) -> Path | None:
        """Return the local file to upload, checked once more, None if the store downloads the image itself.

        Raises RefusedError if it can't be uploaded any more.
        """
        if image_file.startswith("https://"):
            return None
        how = kind(image_file)
        if how == "gone":
            raise RefusedError("somebody deleted it since, and its picture was not kept")
        if how != "file":
            return None
        return path_to_upload(self._io.files, image_file, self._io.cut)

    def reject(self, row: int, error: RefusedError) -> None:
        """Record a refused create; it is not sent again in this run."""
        failure = row_failure(self.batch, row, error.reason, error.status)
        self._note_rejected(f"create:{row}", failure)
        self.rejections.creates.add(row)
        self.rejections.failures.append(failure)
        self.count(f"create:{row}")

    def _note_rejected(self, key: str, failure: Failure) -> None:
        """Journal a refusal with its reason, so that it is reported even if the run stops before the product is finished."""
        told = {name: value for name, value in asdict(failure).items() if value is not None and name != "product_id"}
        self.note("refused", key, **told)

    def _count_rejection(self, error: RefusedError, *, create: bool = False) -> None:
        """Stop the run if refusals in a row concern the store or the account.

        Raises ForbiddenError if they concern the credentials.
        """
        io, product_id = self._io, self.batch.product_id
        if create and (why := io.rejections.of_create(product_id, error)) is not None:
            io.stop.stop(why)
        if (why := io.rejections.of_write(product_id, error)) is not None:
            raise ForbiddenError(why, error.status)

    def _compare(self, made: StoredImage, image_file: str, fields: dict[str, Any]) -> None:
        """Ask for a listing if the store answered other values than were sent; record that it renames files."""
        if not same_name(image_file, made.image_file) and cut_key(image_file).strip("_"):
            self._io.observe(renames_files=True)
        order, flag = fields.get("sort_order", made.sort_order), fields.get("is_thumbnail", made.is_thumbnail)
        self.log.relist = self.log.relist or order != made.sort_order or flag != made.is_thumbnail

    def wait_before_repeating(self, updates: list[Update]) -> None:
        """Raise Later if a value was written less than the settle time ago: it may not show yet."""
        due = self.log.last_written(updates) + self._io.settle_time
        if loop_time() < due:
            raise Later(due)

    async def update(self, update: Update) -> None:
        """Send one update."""
        key = f"update:{update.image_id}"
        event = events.sent(self.batch.product_id, key, fields=update.fields, before=update.before)
        prior = self._ledger.changes.get(key)
        if prior is not None and prior.unconfirmed:
            self._note_unsure()
        await self.intend(event)
        try:
            image = await self._put(update, key)
        except RefusedError as error:
            self.log.relist = True
            if error.may_have_happened and not isinstance(error, MissingError):
                # One of its tries may have happened: the next listing decides.
                self.note("lost", key, status=error.status, reason=error.reason)
                self.log.lost_at = loop_time()
                self.log.round.blur()
                self._note_unsure()
            else:
                self._note_rejected(key, image_failure(self.batch, update.image_id, error.reason, error.status))
            if not isinstance(error, MissingError):
                self.rejections.updates[update.image_id] = error
            self._count_rejection(error)
            return
        self._io.rejections.accepted()
        if image is None:
            self.note("found", key)
        else:
            self.note("confirmed", key, **_own(update.fields, image))
            self.log.confirm_update(image, update)
        if "sort_order" in update.fields:
            self.log.round.puts.append((update.image_id, update.fields["sort_order"]))
        self.count(key)

    def _note_unsure(self) -> None:
        """Note that an unanswered update may still take effect after this run; the next run lists the product again."""
        if self.batch.product_id not in self._io.ledger.unsure:
            self._io.note({"event": "unsure", "product_id": self.batch.product_id})

    async def _put(self, update: Update, key: str) -> StoredImage | None:
        """Send an update; return the image as answered, None if a GET after a lost answer shows that it was done.

        An update may move siblings, so it is not sent again before that GET.
        """
        for tried in range(MAX_LOSSES):
            try:
                with self.under_way(key, sent_before=tried > 0):
                    image = await self._io.store.update(self.batch.product_id, update.image_id, update.fields)
            except LostError as error:
                self.log.relist = True
                self.log.round.blur()
                self._note_unsure()
                image = await self._get_again(update.image_id, error)
                if all(getattr(image, name) == value for name, value in update.fields.items()):
                    return None
            else:
                return image
        raise RefusedError(f"its update was lost {MAX_LOSSES} times in a row")

    async def delete(self, image_id: int, before: StoredImage | None = None) -> None:
        """Back up one image and delete it; a 404 means that it is gone already."""
        key = f"delete:{image_id}"
        before = before or self.log.shown.get(image_id)
        if before is not None and not await back_up(self._io, self.batch.product_id, [before], self.rejections):
            return
        sent_before = key in self._ledger.changes
        await self.intend(events.sent(self.batch.product_id, key, before=before))
        try:
            with self.under_way(key):
                await self._io.store.delete(self.batch.product_id, image_id)
        except MissingError as error:
            # Deleted by others, unless an earlier try of this call got no answer, or an earlier process sent it.
            ours = error.may_have_happened or sent_before
            self.note("confirmed", key, **({} if ours else {"ours": False}))
        except RefusedError as error:
            gone = await self._is_gone(image_id)
            if gone is None and error.may_have_happened:
                self.note("lost", key, reason=error.reason)
                self.rejections.unconfirmed_deletes[image_id] = error
                self.log.ask_for_listing(loop_time())
                return
            if not gone:
                failure = image_failure(self.batch, image_id, error.reason, error.status)
                self._note_rejected(key, failure)
                self.rejections.failures.append(failure)
                self._count_rejection(error)
                return
            self.note("confirmed", key)
        else:
            self._io.rejections.accepted()
            self.note("confirmed", key)
        self.count(key)

    async def _get_again(self, image_id: int, error: LostError) -> StoredImage:
        """Get an image whose update is unconfirmed, not before the retry time that the store named.

        Raises StopRequested; the update then stays unconfirmed.
        """
        try:
            if error.after:
                await self._io.store.wait(error)
            return await self._io.store.image(self.batch.product_id, image_id)
        except StoppedError:
            raise StopRequested from None

    async def _is_gone(self, image_id: int) -> bool | None:
        """Return True if a delete that was refused in the end has happened, None if that is not known."""
        try:
            await self._io.store.image(self.batch.product_id, image_id)
        except MissingError:
            return True
        except (RefusedError, LostError):
            return None
        return False


def _own(fields: dict[str, Any], answered: StoredImage) -> dict[str, Any]:
    """Return the journal's "own" key if the store answered other values than were sent."""
    own = changed_by_store(fields, answered)
    return {"own": own} if own else {}
