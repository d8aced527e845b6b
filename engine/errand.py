"""One product's errand: its creates, then updates, then deletes, journalled, looked at again where that is called for.

What is to be done is decided in core (plan, settle, mend); here it is sent, and what came of it is written down.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio

from .core import ledger as events
from .core.diff import Changes, Create, Update
from .core.errors import LostError, MissingError, RefusedError
from .core.mend import (
    ROUNDS,
    image_failure,
    is_as_planned,
    known,
    product_failures,
    remaining,
    row_failure,
)
from .core.names import kind, loose, stem
from .core.order import observe, observe_post
from .core.plan import PAGE, SURE_PAGE
from .core.settle import resolve_writes, sight, twins
from .sources import resolve

if TYPE_CHECKING:
    from pathlib import Path

    from .core.ledger import Course, Ledger
    from .core.model import Present
    from .core.order import Reading
    from .core.plan import Batch
    from .core.report import Failure
    from .journal import Journal
    from .progress import Progress, Stop
    from .store import Store

SAME_REFUSALS = 50
"""So many creates refused in a row for the same reason stop the run: it isn't the pictures."""
MOST_LOSSES = 8
"""A create that was looked for in vain and sent again so often is given up for this run."""


class Drained(Exception):  # noqa: N818  # not an error: the run was asked to stop between two calls
    """The run takes in no more work; this product is gone on with by the next one."""


class SetAside(Exception):  # noqa: N818  # not an error: others go on meanwhile
    """A create in doubt may still appear; look again when `due` (the loop's clock) has come."""

    def __init__(self, due: float) -> None:
        self.due = due


@dataclass(slots=True)
class Seen:
    """What the store was seen to do: how it renumbers, whether it loses names. Kept in the checkpoint."""

    reading: Reading
    names_lost: bool = False


@dataclass(slots=True)
class Tools:
    """What every errand works with; `mirror` is sync, `relist` is apply's listing right before the first write.

    `settle_only` finds out what became of what was sent, and sends nothing.
    """

    store: Store
    journal: Journal
    ledger: Ledger
    stop: Stop
    progress: Progress
    seen: Seen
    mirror: bool
    relist: bool
    settle: float
    files: Path
    settle_only: bool = False
    refusals: dict[str, int] = field(default_factory=dict)

    def note(self, event: events.Event) -> None:
        """An outcome: into the ledger and the journal."""
        self.ledger.apply(event)
        self.journal.note(event)

    async def intend(self, event: events.Event) -> None:
        """An intent: on disk before the call goes.

        Raises Drained where the run has been asked to stop.
        """
        if self.stop.draining:
            raise Drained
        self.ledger.apply(event)
        await self.journal.intend(event)


class _Watched:
    """A gallery's sort orders before a round of writes, and the writes: what the next look learns from."""

    def __init__(self, present: list[Present]) -> None:
        self.orders = {image.image_id: image.sort_order for image in present}
        self.creates: list[tuple[int, int]] = []
        self.puts: list[tuple[int, int]] = []
        self.blurred = False

    def created(self, image_id: int, fields: dict[str, Any]) -> None:
        """A create was confirmed; where the store chose its place, nothing can be learned."""
        self.blurred = self.blurred or "sort_order" not in fields
        self.creates.append((image_id, fields.get("sort_order", 0)))

    def learn(self, present: list[Present], seen: Seen) -> None:
        """Believe what the store was seen to do; creates and PUTs in one round would blur each other."""
        after = {image.image_id: image.sort_order for image in present}
        if self.blurred:
            return
        if self.puts and (not self.creates or seen.reading.post is False):
            before = self.orders | dict(self.creates)
            put = observe(before, self.puts, after)
            seen.reading = replace(seen.reading, put=put or seen.reading.put)
        elif self.creates and not self.puts:
            post = observe_post(self.orders, self.creates, after)
            seen.reading = replace(seen.reading, post=seen.reading.post if post is None else post)


class Errand:
    """One product on its way; `run` may be called again after SetAside."""

    def __init__(self, batch: Batch, tools: Tools) -> None:
        self.batch = batch
        self._tools = tools
        self._fresh = batch.product_id not in tools.ledger.courses
        self.course: Course = tools.ledger.course(batch.product_id)
        self.lost_at = anyio.current_time()
        self._failures: list[Failure] = list(batch.failures)
        self._refused: set[int] = set()
        self._look = False
        self._listing: list[Present] | None = None
        self._watched = _Watched(batch.present)

    async def run(self) -> None:
        """Do what is left until the product is as asked or has failed.

        Raises SetAside and Drained, and FerryError where the whole run must stop.
        """
        try:
            changes = await self._begin()
            if not self._tools.settle_only:
                await self._rounds(changes)
        except LostError as error:
            self._failures += product_failures(self.batch, f"it can't be listed: {error.reason}", error.status)
        except RefusedError as error:
            self._failures += product_failures(self.batch, _listing_reason(error), error.status)
        self._finish()

    async def _begin(self) -> Changes:
        """The plan's changes where nothing has happened yet, else what a fresh look leaves to do."""
        if self.batch.missing or (self.batch.failures and not self.batch.changes):
            return Changes()
        if not self._fresh:
            return await self._look_again()
        if self._tools.relist:
            return await self._as_planned()
        return self.batch.changes

    async def _as_planned(self) -> Changes:
        present = await self._tools.store.images(self.batch.product_id)
        if is_as_planned(self.batch, present):
            self._listing = present
            return self.batch.changes
        if self._left(present):
            reason = "somebody changed this product since the plan was made; it was left alone. Make a new plan"
            self._failures += product_failures(self.batch, reason)
        return Changes()

    async def _rounds(self, changes: Changes) -> None:
        mended = 0
        while mended <= ROUNDS:
            doubt = await self._perform(changes)
            if not doubt and not self._look:
                return
            changes = await self._look_again()
            if not changes:
                return
            mended += not doubt
        self._failures += product_failures(self.batch, f"still not as asked after {ROUNDS} rounds of mending")

    async def _look_again(self) -> Changes:
        """List the product, settle what is in doubt, and see what is left."""
        self._fresh = False
        present = await self._tools.store.images(self.batch.product_id)
        self._watched.learn(present, self._tools.seen)
        for kind_of_event, key, gone in resolve_writes(self.course, present):
            self._note(kind_of_event, key, **({} if gone is None else {"image_ids": gone}))
        self._settle(present)
        self._watched = _Watched(present)
        left = self._left(present)
        left.look = bool(left)
        return left

    def _left(self, present: list[Present]) -> Changes:
        tools = self._tools
        found = remaining(self.batch, self.course, present, tools.seen.reading, self._refused, mirror=tools.mirror)
        if self._failures or self._refused:
            found.changes.deletes = []
        return found.changes

    def _settle(self, present: list[Present]) -> None:
        """Adopt what has appeared; a create that has not is waited for once, then it is taken not to have happened.

        Raises SetAside where its time has not come.
        """
        sighting = sight(self.batch, self.course, present, names_lost=self._tools.seen.names_lost)
        for row, image_id in sighting.found.items():
            self._note("found", f"create:{row}", image_id=image_id)
        if not sighting.absent:
            return
        due = self.lost_at + self._tools.settle
        if anyio.current_time() < due:
            raise SetAside(due)
        for row in sighting.absent:
            key = f"create:{row}"
            self._note("absent", key)
            if self.course.changes[key].absents >= MOST_LOSSES:
                self._refuse(
                    row, RefusedError(f"the answer to its create was lost {MOST_LOSSES} times, and it never appeared")
                )

    async def _perform(self, changes: Changes) -> bool:
        """Send the changes in order; True where one is in doubt, and then nothing more was sent."""
        self._look = changes.look
        for create in changes.creates:
            if not await self._create(create):
                return True
        for update in changes.updates:
            await self._update(update)
        if self._failures or self._refused:
            return False
        if self.batch.empties and changes.deletes:
            await self._empty()
            return False
        for image_id in changes.deletes:
            await self._delete(image_id)
        return False

    async def _create(self, create: Create) -> bool:
        """True where the outcome is known."""
        image = self.batch.product.images[create.row]
        key = f"create:{create.row}"
        try:
            picture = resolve(self._tools.files, image.image_file) if kind(image.image_file) == "file" else None
        except RefusedError as error:
            self._refuse(create.row, error)
            return True
        await self._tools.intend(events.sent(self.batch.product_id, key, fields=create.fields))
        try:
            made = await self._tools.store.create(self.batch.product_id, image.image_file, create.fields, picture)
        except LostError as error:
            self.lost_at = anyio.current_time()
            self._note("lost", key, reason=error.reason)
            return False
        except RefusedError as error:
            self._note("refused", key, status=error.status, reason=error.reason)
            self._refuse(create.row, error)
            self._count_refusal(error)
            return True
        self._tools.refusals.clear()
        self._note("confirmed", key, image_id=made.image_id)
        self._watched.created(made.image_id, create.fields)
        self._compare(made, image.image_file, create.fields)
        self._tools.progress.images_done += 1
        return True

    def _refuse(self, row: int, error: RefusedError) -> None:
        self._refused.add(row)
        self._failures.append(row_failure(self.batch, row, error.reason, error.status))
        self._tools.progress.images_done += 1

    def _count_refusal(self, error: RefusedError) -> None:
        """Stop the run where the store refuses the same thing all the time."""
        refusals = self._tools.refusals
        reason = f"{error.status} {error.reason.partition(':')[0].partition(' The ')[0]}"
        count = refusals.get(reason, 0) + 1
        refusals.clear()
        refusals[reason] = count
        if count >= SAME_REFUSALS:
            self._tools.stop.drain(
                f"stopped: the store refused {count} creates in a row in the same way ({error.status}: {error.reason}). "
                "Once the cause is gone, the same command goes on from here."
            )

    def _compare(self, made: Present, image_file: str, fields: dict[str, Any]) -> None:
        """A store that answers with other fields or another name than sent has done something of its own: look."""
        if loose(stem(made.image_file)) != loose(stem(image_file)):
            self._tools.seen.names_lost = True
        if any(getattr(made, name) != value for name, value in fields.items() if name != "description"):
            self._look = True

    async def _update(self, update: Update) -> None:
        key = f"update:{update.image_id}"
        event = events.sent(self.batch.product_id, key, fields=update.fields, before=update.before)
        await self._tools.intend(event)
        try:
            kind_of_outcome = await self._put(update)
        except RefusedError as error:
            self._note("refused", key, status=error.status, reason=error.reason)
            if isinstance(error, MissingError):
                self._look = True
            else:
                self._failures.append(image_failure(self.batch, update.image_id, error.reason, error.status))
            return
        self._note(kind_of_outcome, key)
        if "sort_order" in update.fields:
            self._watched.puts.append((update.image_id, update.fields["sort_order"]))
        self._tools.progress.images_done += 1

    async def _put(self, update: Update) -> str:
        """PUT; where the answer is lost and siblings may have moved, the image is looked at before it is sent again."""
        for _ in range(ROUNDS):
            try:
                await self._tools.store.update(self.batch.product_id, update.image_id, update.fields)
            except LostError:
                self._look = True
                image = await self._tools.store.image(self.batch.product_id, update.image_id)
                if all(getattr(image, name) == value for name, value in update.fields.items()):
                    return "found"
            else:
                return "confirmed"
        raise RefusedError(f"its update was lost {ROUNDS} times in a row")

    async def _delete(self, image_id: int, before: Present | None = None) -> None:
        key = f"delete:{image_id}"
        before = before or next((image for image in self.batch.present if image.image_id == image_id), None)
        await self._tools.intend(events.sent(self.batch.product_id, key, before=before))
        try:
            await self._tools.store.delete(self.batch.product_id, image_id)
        except MissingError:
            self._note("confirmed", key, gone=True)
        except RefusedError as error:
            self._note("refused", key, status=error.status, reason=error.reason)
            self._failures.append(image_failure(self.batch, image_id, error.reason, error.status))
            return
        else:
            self._note("confirmed", key)
        self._tools.progress.images_done += 1

    async def _empty(self) -> None:
        """The delete-many call, only right after a listing that equals the plan's."""
        store, product_id = self._tools.store, self.batch.product_id
        present, self._listing = self._listing or await store.images(product_id), None
        if not is_as_planned(self.batch, present):
            await self._empty_one_by_one(present)
            return
        ids = [image.image_id for image in present]
        await self._tools.intend(events.sent(product_id, "empty", image_ids=ids, before=present))
        told = "confirmed"
        try:
            for _ in range(-(-len(ids) // PAGE)):
                await store.delete_page(product_id)
            left = await store.images(product_id) if len(ids) > SURE_PAGE else []
        except LostError as error:
            self._note("lost", "empty", reason=error.reason)
            told = "found"
            left = await store.images(product_id)
        except RefusedError as error:
            self._note("refused", "empty", status=error.status, reason=error.reason)
            self._failures.append(image_failure(self.batch, None, error.reason, error.status))
            return
        still = {image.image_id for image in left}
        gone = [image_id for image_id in ids if image_id not in still]
        self._note(told if gone else "absent", "empty", image_ids=gone)
        self._tools.progress.images_done += len(gone)
        if still:
            await self._empty_one_by_one(left)

    async def _empty_one_by_one(self, present: list[Present]) -> None:
        """Somebody was here, or the store took less than asked: only the images that the plan names go, each by its id."""
        planned = set(self.batch.changes.deletes)
        for image in present:
            if image.image_id in planned:
                await self._delete(image.image_id)
            elif self._tools.mirror:
                self._failures.append(_stranger(self.batch, image))

    async def last_look(self) -> None:
        """At the end: is there a twin of a create that was sent again? `sync` takes a single one away.

        Raises Drained where the run has been asked to stop.
        """
        if self._tools.stop.draining:
            raise Drained
        try:
            present = await self._tools.store.images(self.batch.product_id)
        except (LostError, RefusedError) as error:
            self._failures.append(
                image_failure(self.batch, None, f"its last look failed: {error.reason}", error.status)
            )
            self._finish()
            return
        strangers = sight(self.batch, self.course, present, names_lost=False).strangers
        left = len(self._failures)
        for row, alike in twins(self.batch, self.course, strangers).items():
            if self._tools.mirror and len(alike) == 1:
                await self._delete(alike[0].image_id, alike[0])
            else:
                self._failures += [_twin(self.batch, row, image) for image in alike]
        if len(self._failures) > left:
            self._finish()
        self._tools.note({"event": "settled", "product_id": self.batch.product_id})

    def _finish(self) -> None:
        memory = known(self.batch, self.course)
        event: events.Event = {"event": "finished", "product_id": self.batch.product_id, "images": memory}
        if self._failures:
            event["failures"] = [asdict(failure) for failure in self._failures]
        self._tools.note(event)

    def _note(self, kind_of_event: str, key: str, **more: Any) -> None:
        self._tools.note(events.outcome(kind_of_event, self.batch.product_id, key, **more))


def _listing_reason(error: RefusedError) -> str:
    if isinstance(error, MissingError):
        return "the store has no such product (404)"
    return f"it can't be listed: {error.reason}"


def _stranger(batch: Batch, image: Present) -> Failure:
    reason = "somebody added this image while the run was under way; it was left alone. The next sync decides"
    return image_failure(batch, image.image_id, reason)


def _twin(batch: Batch, row: int, image: Present) -> Failure:
    failure = row_failure(
        batch, row, "a second image of this name appeared after its create was sent again; it was left alone"
    )
    failure.image_id = image.image_id
    return failure
