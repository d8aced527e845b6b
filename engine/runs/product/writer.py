"""The writes to one product, one call each: intent first, then the call, then what came of it. Decides no order of things."""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...clock import loop_time
from ...core.checkpoint import events, states
from ...core.errors import (
    ENDS_RUN,
    BackupError,
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
from ...core.reconcile.remaining import MAX_LOSSES
from ...core.reconcile.stale import Written
from ...core.reconcile.traits import WriteRound
from ...disk.local_images import path_to_upload
from ...transport.unsent import NotSent
from .io import Later, ProductIO, StopRequested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...core.checkpoint.states import ProductLedger
    from ...core.diff.changes import Create, Update
    from ...core.model import StoredImage
    from ...core.plan.batch import ProductPlan
    from ...core.results import Failure


class ProductWriter:
    """Sends, journals, and gathers what failed, what was refused, and whether a look is called for."""

    def __init__(self, batch: ProductPlan, io: ProductIO) -> None:
        self.batch = batch
        self._io = io
        self.failures: list[Failure] = list(batch.failures)
        self.rejected_creates: set[int] = set()
        self.relist = False
        self.lost_at = self.wrote_at = loop_time()
        self.written: list[Written] = []
        self.rejected_updates: dict[int, RefusedError] = {}
        self.unconfirmed_deletes: dict[int, RefusedError] = {}
        self.frozen_images: set[int] = set()
        course = io.ledger.course(batch.product_id)
        self._counted = {key for key, change in course.changes.items() if change.state == states.State.DONE}
        self._put_at = dict.fromkeys(_puts(course), self.wrote_at)
        self.listing: list[StoredImage] | None = None
        self.show(batch.present)

    def show(self, present: list[StoredImage]) -> None:
        """Take note of how the gallery stands before the next round of writes."""
        self.round = WriteRound(present)
        self.written = []
        self.shown = {image.image_id: image for image in present}

    def note(self, kind_of_event: str, key: str, **more: Any) -> None:
        """Write down what came of a change."""
        if kind_of_event == "confirmed":
            self.wrote_at = loop_time()
        self._io.note(events.outcome(kind_of_event, self.batch.product_id, key, **more))

    async def create(self, create: Create) -> bool:
        """POST one image; True where the outcome is known."""
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
        self.round.created(made.image_id, create.fields)
        self._confirm(made, create.fields)
        self._compare(made, image.image_file, create.fields)
        self.count(key)
        return True

    def count(self, key: str, images: int = 1) -> None:
        """Show the change as done, once, however often it takes."""
        if key not in self._counted:
            self._counted.add(key)
            self._io.progress.images_done += images

    async def intend(self, event: events.Event) -> None:
        """Journal an intent; where that is cut off or fails, nothing was sent, and it is known that nothing was.

        Raises Drained, DiskError.
        """
        try:
            await self._io.write_ahead(event)
        except (asyncio.CancelledError, DiskError):
            self.note("deferred", event["change"])
            raise

    @contextmanager
    def under_way(self, key: str, *, sent_before: bool = False) -> Iterator[None]:
        """A call that was refused, turned away or cut before it can have happened did not happen; any other stays in doubt.

        Raises Drained where the run was asked to stop, ForbiddenError or UnreachableError where the store ended it.
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
        """A create's answer was lost; a store that has named a time is not looked at before it."""
        self.lost_at = loop_time() + max(0.0, (error.after or 0.0) - self._io.settle_time)

    def _picture(self, image_file: str) -> Path | None:
        """The local picture to upload, None where the store fetches it itself; looked at once more right before.

        Raises RefusedError where it can't be uploaded any more.
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
        """The store won't have the image of this row; it is not sent again in this run."""
        failure = row_failure(self.batch, row, error.reason, error.status)
        self._note_rejected(f"create:{row}", failure)
        self.rejected_creates.add(row)
        self.failures.append(failure)
        self.count(f"create:{row}")

    def _note_rejected(self, key: str, failure: Failure) -> None:
        """Write down what was refused and why, so that it is told even if the run stops before the product is finished."""
        told = {name: value for name, value in asdict(failure).items() if value is not None and name != "product_id"}
        self.note("refused", key, **told)

    def withdraw_rejection(self, row: int) -> None:
        """The image of a refused row is there after all."""
        if row in self.rejected_creates:
            self.rejected_creates.discard(row)
            source = self.batch.product.images[row].image_file
            self.failures = [f for f in self.failures if f.image_file != source or f.image_id is not None]

    def _count_rejection(self, error: RefusedError, *, create: bool = False) -> None:
        """End the run where refusals in a row are no image's or product's own any more.

        Raises ForbiddenError where they are the credentials'.
        """
        tools, product_id = self._io, self.batch.product_id
        if create and (why := tools.rejections.of_create(product_id, error)) is not None:
            tools.stop.stop(why)
        if (why := tools.rejections.of_write(product_id, error)) is not None:
            raise ForbiddenError(why, error.status)

    def _confirm(self, image: StoredImage, fields: dict[str, Any]) -> None:
        """Take note of what the store says it has written: a listing that shows otherwise lags behind.

        Where the store has made something of its own of it, a look tells what that does to the others.
        """
        own = changed_by_store(fields, image)
        self.relist = self.relist or bool(own)
        text = image.description if "description" in fields else None
        order = image.sort_order if "sort_order" in fields else None
        flag = image.is_thumbnail if "is_thumbnail" in fields else None
        self.written.append(Written(image.image_id, text, order, flag, "sort_order" in own))

    def _compare(self, made: StoredImage, image_file: str, fields: dict[str, Any]) -> None:
        """A store that answers with other fields or another name than sent has done something of its own: look."""
        if not same_name(image_file, made.image_file) and cut_key(image_file).strip("_"):
            self._io.observe(renames_files=True)
        order, flag = fields.get("sort_order", made.sort_order), fields.get("is_thumbnail", made.is_thumbnail)
        self.relist = self.relist or order != made.sort_order or flag != made.is_thumbnail

    def wait_before_repeating(self, updates: list[Update]) -> None:
        """What was put into a field is not put there again before it has had the time to show.

        Raises SetAside.
        """
        values = [(update.image_id, name, value) for update in updates for name, value in update.fields.items()]
        due = max((self._put_at[value] for value in values if value in self._put_at), default=-math.inf)
        if loop_time() < due + self._io.settle_time:
            raise Later(due + self._io.settle_time)

    async def update(self, update: Update) -> None:
        """PUT one image's fields."""
        key = f"update:{update.image_id}"
        event = events.sent(self.batch.product_id, key, fields=update.fields, before=update.before)
        former = self._io.ledger.course(self.batch.product_id).changes.get(key)
        if former is not None and former.unconfirmed:
            self._sent_in_vain()
        await self.intend(event)
        try:
            image = await self._put(update, key)
        except RefusedError as error:
            self.relist = True
            if error.may_have_happened and not isinstance(error, MissingError):
                # One of its tries may have happened all the same: a look decides what has failed.
                self.note("lost", key, status=error.status, reason=error.reason)
                self.lost_at = loop_time()
                self.round.blur()
                self._sent_in_vain()
            else:
                self._note_rejected(key, image_failure(self.batch, update.image_id, error.reason, error.status))
            if not isinstance(error, MissingError):
                self.rejected_updates[update.image_id] = error
            self._count_rejection(error)
            return
        self._io.rejections.accepted()
        if image is None:
            self.note("found", key)
        else:
            self.note("confirmed", key, **_own(update.fields, image))
            self._put_at |= dict.fromkeys(_values(update.image_id, update.fields), self.wrote_at)
            self._confirm(image, update.fields)
        if "sort_order" in update.fields:
            self.round.puts.append((update.image_id, update.fields["sort_order"]))
        self.count(key)

    def _sent_in_vain(self) -> None:
        """An update without an answer may land later than this run looks: a run that tries again what failed looks here, too."""
        if self.batch.product_id not in self._io.ledger.unsure:
            self._io.note({"event": "unsure", "product_id": self.batch.product_id})

    async def _put(self, update: Update, key: str) -> StoredImage | None:
        """PUT, and the image as the store answers it.

        Where the answer is lost and siblings may have moved, the image is looked at before it is sent again: None where
        that shows that it was done.
        """
        for tried in range(MAX_LOSSES):
            try:
                with self.under_way(key, sent_before=tried > 0):
                    image = await self._io.store.update(self.batch.product_id, update.image_id, update.fields)
            except LostError as error:
                self.relist = True
                self.round.blur()
                self._sent_in_vain()
                image = await self._get_again(update.image_id, error)
                if all(getattr(image, name) == value for name, value in update.fields.items()):
                    return None
            else:
                return image
        raise RefusedError(f"its update was lost {MAX_LOSSES} times in a row")

    async def delete(self, image_id: int, before: StoredImage | None = None) -> None:
        """DELETE one image, once its picture is kept where that was asked for; 404 means that it is gone already."""
        key = f"delete:{image_id}"
        before = before or self.shown.get(image_id)
        if before is not None and not await self.keep([before]):
            return
        doubted = key in self._io.ledger.course(self.batch.product_id).changes
        await self.intend(events.sent(self.batch.product_id, key, before=before))
        try:
            with self.under_way(key):
                await self._io.store.delete(self.batch.product_id, image_id)
        except MissingError as error:
            # Somebody else was quicker, unless an earlier sending of ours had no answer, or an earlier process sent it, too.
            ours = error.may_have_happened or doubted
            self.note("confirmed", key, **({} if ours else {"ours": False}))
        except RefusedError as error:
            gone = await self._is_gone(image_id)
            if gone is None and error.may_have_happened:
                self.note("lost", key, reason=error.reason)
                self.unconfirmed_deletes[image_id] = error
                self.leave_to_a_look()
                return
            if not gone:
                failure = image_failure(self.batch, image_id, error.reason, error.status)
                self._note_rejected(key, failure)
                self.failures.append(failure)
                self._count_rejection(error)
                return
            self.note("confirmed", key)
        else:
            self._io.rejections.accepted()
            self.note("confirmed", key)
        self.count(key)

    async def _get_again(self, image_id: int, error: LostError) -> StoredImage:
        """Get one image whose update is in doubt, when the time has come that the store named; turned away, it stays in doubt.

        Raises Drained.
        """
        try:
            if error.after:
                await self._io.store.wait(error)
            return await self._io.store.image(self.batch.product_id, image_id)
        except StoppedError:
            raise StopRequested from None

    async def _is_gone(self, image_id: int) -> bool | None:
        """Whether a delete that was refused in the end had happened before, its answer lost; None where nobody can tell."""
        try:
            await self._io.store.image(self.batch.product_id, image_id)
        except MissingError:
            return True
        except (RefusedError, LostError):
            return None
        return False

    def leave_to_a_look(self) -> None:
        """How much of it has happened is for the next listing to tell, one that may lag."""
        self.relist = True
        self.lost_at = loop_time()

    async def back_up_gallery(self) -> bool:
        """Back up all that one call will take: fetching takes long, so it comes before the listing that allows the call."""
        images = self.batch.present
        if self._io.backup is not None and any(image.url is None for image in images):
            images = await self._io.list(self.batch.product_id)  # the plan was made without --backup
        return await self.keep(images)

    async def keep(self, images: list[StoredImage]) -> bool:
        """Back pictures up before they go; what can't be kept is not deleted, and that is a failure.

        Raises StoppedError where the run was asked to stop between two of them.
        """
        if self._io.backup is None:
            return True
        for image in images:
            try:
                await self._io.backup.keep(self.batch.product_id, image)
            except BackupError as error:
                self.failures.append(image_failure(self.batch, image.image_id, f"not deleted: {error}"))
                return False
        return True


def _own(fields: dict[str, Any], answered: StoredImage) -> dict[str, Any]:
    """What the journal tells beside "confirmed" where the store answered with other values than it was sent."""
    own = changed_by_store(fields, answered)
    return {"own": own} if own else {}


def _values(image_id: int, fields: dict[str, Any]) -> Iterator[tuple[int, str, Any]]:
    return ((image_id, name, value) for name, value in fields.items())


def _puts(course: ProductLedger) -> Iterator[tuple[int, str, Any]]:
    """What an earlier process of this run has put; when that was nobody knows, so that its time begins anew."""
    for key, change in course.changes.items():
        if key.startswith("update:") and change.confirmed and change.sent is not None:
            yield from _values(int(key[7:]), change.sent["fields"])
