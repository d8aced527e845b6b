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
from ...core.identities import shown_now
from ...core.plan.batch import own_failures
from ...core.plan.failures import image_failure, listing_reason, product_failures, twin, unexplained
from ...core.reconcile.doubts import sight
from ...core.reconcile.duplicates import resent_in, twins
from ...core.reconcile.remaining import LOSSES, ROUNDS, is_as_planned, known, remaining, unmended
from .delete_all import empty
from .io import Drained, SetAside
from .relisting import Looks
from .writer import Writes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...core.checkpoint import events
    from ...core.checkpoint.states import Course
    from ...core.model import Present
    from ...core.plan.batch import Batch
    from ...core.results import Failure
    from .io import Tools


class Errand:
    """One product on its way; `run` may be called again after SetAside."""

    def __init__(self, batch: Batch, tools: Tools) -> None:
        self.batch = batch
        self._tools = tools
        self._fresh = batch.product_id not in tools.ledger.courses
        self.course: Course = tools.ledger.course(batch.product_id)
        in_doubt = any(change.in_doubt for change in self.course.changes.values())
        self._reopened = batch.product_id in tools.ledger.failures and not in_doubt
        self._writes = Writes(batch, tools)
        self._looks = Looks(batch.product_id, tools, self.course, self._writes)
        self._rounds_sent = 0
        self._own: list[Failure] | None = None
        self._left_as: list[Present] | None = None
        self._gone: set[int] = set()
        self._unlisted: list[Failure] = []

    @property
    def lost_at(self) -> float:
        """When an answer to a create was last lost (the loop's clock); a restart begins the settling anew."""
        return self._writes.lost_at

    async def run(self) -> None:
        """Do what is left until the product is as asked or has failed.

        Raises SetAside and Drained, and FerryError where the whole run must stop.
        """
        with self._failing_unlisted():
            changes = await self._begin()
            if not self._tools.settle_only:
                await self._rounds(changes)
        if not self._tools.settle_only:  # what is settled is known, not done: the run may still be gone on with
            self._finish()

    @contextmanager
    def _failing_unlisted(self) -> Iterator[None]:
        """What is done in here needs listings; where one can't be had, the product fails, and the others go on."""
        try:
            yield
        except (LostError, RefusedError) as error:
            self._unlisted = product_failures(self.batch, listing_reason(error), error.status)
            self._writes.failures += self._unlisted

    async def _begin(self) -> Changes:
        """The plan's changes where nothing has happened yet, else what a fresh look leaves to do."""
        if self.batch.missing or (not self.batch.changes and (self.batch.failures or self.batch.left_alone)):
            return Changes()
        if not self._fresh:
            return await self._look_again()
        if self._tools.relist:
            return await self._as_planned()
        return self.batch.changes

    async def _as_planned(self) -> Changes:
        if self.batch.empties and not await self._writes.keep_gallery():
            return Changes()
        present = await self._tools.list(self.batch.product_id)
        self._catch_up(present)
        if is_as_planned(self.batch, present):
            self._writes.listing = present
            self._writes.show(present)
            return self._left(present) if self._is_outdated(present) else self.batch.changes
        if self._left(present):
            reason = "somebody changed this product since the plan was made; it was left alone. Make a new plan"
            self._writes.failures += product_failures(self.batch, reason)
        return Changes()

    def _catch_up(self, present: list[Present]) -> None:
        """Take over what was remembered since the plan was made, but for images that are gone where the plan knows others."""
        ids = {image.image_id for image in present}
        for source, pair in self.batch.since.items():
            if pair[0] in ids or self.batch.memory.get(source, (0,))[0] not in ids:
                self.batch.memory[source] = pair
        self.batch.since = {}

    def _is_outdated(self, present: list[Present]) -> bool:
        """Whether the plan would make an image that is known by now to be there: a doubt was settled since it was made."""
        ids = {image.image_id for image in present}
        for create in self.batch.changes.creates:
            known_id = self.batch.memory.get(self.batch.product.images[create.row].image_file, (0,))[0]
            if known_id in ids and known_id != create.replaces:
                return True
        return False

    async def _rounds(self, changes: Changes) -> None:
        while changes and self._rounds_sent <= ROUNDS:
            self._writes.wait_to_repeat(changes.updates)
            doubt = await self._perform(changes)
            if not doubt and not self._writes.look:
                return
            self._rounds_sent += not doubt  # counted when it is sent: what a look finds may be told much later
            changes = await self._look_again()
        self._writes.failures += unmended(self.batch, self.course, changes)

    async def _look_again(self) -> Changes:
        """List the product, settle what is in doubt, and see what is left."""
        self._fresh = False
        present, asked = await self._looks.look()
        self._catch_up(present)
        self._see_own(present)
        self._tools.see(reading=self._writes.watched.learn(present, self._tools.seen.reading))
        self._resolve(present, asked)
        self._settle(present, asked)
        self._writes.show(present)
        self._left_as = present
        self._gone = self.course.made.keys() - {image.image_id for image in present}
        left = self._within_limit(self._without_refused(self._left(present)))
        # The first listing of a product that was finished with failures tells as much as a plan's does.
        left.look = left.look if self._reopened else bool(left)
        self._reopened = False
        return left

    def _see_own(self, present: list[Present]) -> None:
        """A sort order of the store's own is what a look shows: later writes may have moved it."""
        by_id = {image.image_id: image for image in present}
        for image_id, own in self.course.own.items():
            self.course.own[image_id] = shown_now(own, by_id.get(image_id))

    def _within_limit(self, left: Changes) -> Changes:
        """An update that was answered as often as a product is mended, and still is not as asked, fails; no other image does."""
        given_up = [u for u in left.updates if self.course.confirmed(u.image_id) > ROUNDS]
        if given_up:
            self._writes.failures += unmended(self.batch, self.course, Changes(updates=given_up))
            self._writes.barred |= {update.image_id for update in given_up}
            left.updates = [update for update in left.updates if update not in given_up]
            left.deletes = []
        return left

    def _resolve(self, present: list[Present], asked: float) -> None:
        """Updates and deletes in doubt: what shows has happened, what doesn't show in time has not.

        Raises SetAside where it is too early to tell.
        """
        told = resolve_writes(self.course, present)
        due = self._writes.lost_at + self._tools.settle
        if asked < due and not all(shows for shows, _, _ in told):
            raise SetAside(due)
        for shows, key, more in told:
            happened = shows or bool(more.get("image_ids"))
            self._writes.note("found" if happened else "absent", key, **more)

    def _without_refused(self, left: Changes) -> Changes:
        """What the store refused to update, or to delete, and still is not as asked has failed; it is not sent again in this run."""
        writes = self._writes
        for update in left.updates:
            error = writes.refused_puts.get(update.image_id)
            if error is not None:
                writes.barred.add(update.image_id)
                writes.failures.append(image_failure(self.batch, update.image_id, error.reason, error.status))
        for image_id in writes.refused_puts.keys() - writes.barred:
            key = f"update:{image_id}"
            if self.course.changes[key].state == State.FAILED:
                writes.note("absent", key)  # what was refused never happened, and by now it needn't
        writes.refused_puts.clear()
        for image_id, error in writes.doubted_deletes.items():
            if self.course.changes[f"delete:{image_id}"].state != State.DONE:
                writes.failures.append(image_failure(self.batch, image_id, error.reason, error.status))
        writes.doubted_deletes.clear()
        left.updates = [update for update in left.updates if update.image_id not in writes.barred]
        if writes.failures:
            left.deletes = []
        return left

    def _left(self, present: list[Present]) -> Changes:
        tools = self._tools
        found = remaining(
            self.batch,
            self.course,
            present,
            tools.seen.reading,
            self._writes.refused,
            self._writes.barred,
            mirror=tools.mirror,
        )
        self._own = own_failures(self.batch.product, found)
        if self._writes.failures or self._writes.refused:
            found.changes.deletes = []
        return found.changes

    def _settle(self, present: list[Present], asked: float) -> None:
        """Adopt what has appeared; a create that has not is waited for once, then it is taken not to have happened.

        Raises SetAside where its time has not come.
        """
        due = self.lost_at + self._tools.settle
        names_lost = self._tools.seen.names_lost
        sighting = sight(self.batch, self.course, present, names_lost=names_lost, settled=asked >= due)
        self._adopt(sighting.found)
        if not sighting.absent:
            return
        if asked < due:
            raise SetAside(due)
        for row in sighting.absent:
            key = f"create:{row}"
            self._writes.note("absent", key)
            if self.course.changes[key].absents >= LOSSES:
                self._writes.refuse(
                    row, RefusedError(f"the answer to its create was lost {LOSSES} times, and it never appeared")
                )

    def _adopt(self, found: dict[int, int]) -> None:
        """These rows have their images after all; one that was refused when it was sent again is no failure any more."""
        for row, image_id in found.items():
            self._writes.note("found", f"create:{row}", image_id=image_id)
            self._writes.forgive(row)

    async def _perform(self, changes: Changes) -> bool:
        """Send the changes in order; True where one is in doubt, and then nothing more was sent."""
        self._writes.look = changes.look
        self._left_as = None
        for create in changes.creates:
            if not await self._writes.create(create):
                return True
        for update in changes.updates:
            await self._writes.update(update)
        if self._writes.failures or self._writes.refused or self._writes.refused_puts:
            return False
        if self.batch.empties and changes.deletes and self._tools.seen.delete_many:
            await empty(self._writes, self._tools)
            return False
        for image_id in changes.deletes:
            await self._writes.delete(image_id)
        return False

    async def last_look(self) -> None:
        """At the end: is there a twin of a create that was sent again? `sync` takes a single one away.

        Raises Drained where the run has been asked to stop.
        """
        if self._tools.stop.draining:
            raise Drained
        try:
            present = await self._tools.list(self.batch.product_id)
        except (LostError, RefusedError) as error:
            self._writes.failures.append(
                image_failure(self.batch, None, f"its last look failed: {error.reason}", error.status)
            )
            self._finish()
            self._settled()
            return
        sighting = sight(self.batch, self.course, present, names_lost=False)
        if sighting.found or self._unlisted:
            await self._go_on_with(sighting.found, present)
        strangers = [image for image in sighting.strangers if image.image_id not in self.course.made]
        left = len(self._writes.failures)
        await self._take_twins_away(strangers)
        if self.course.given_up() and not self._tools.seen.names_lost:
            self._writes.failures += [unexplained(self.batch, image) for image in strangers]
        if len(self._writes.failures) > left:
            self._finish()
        self._settled()

    async def _take_twins_away(self, strangers: list[Present]) -> None:
        names_lost = self._tools.seen.names_lost
        for row, alike in twins(self.batch, self.course, strangers, names_lost=names_lost).items():
            if self._tools.mirror and len(alike) == 1 and not names_lost:
                await self._writes.delete(alike[0].image_id, alike[0])
            else:
                self._writes.failures += [twin(self.batch, row, image) for image in alike]
        if self._writes.doubted_deletes:
            await self._to_the_end(None)

    async def _go_on_with(self, found: dict[int, int], present: list[Present]) -> None:
        """What had failed has appeared, or can be listed again: do what was held back for it."""
        self._adopt(found)
        unlisted, self._unlisted = self._unlisted, []
        self._writes.failures = [failure for failure in self._writes.failures if failure not in unlisted]
        # Where no look was possible, more is in doubt than what a last look may adopt.
        await self._to_the_end(None if unlisted else self._left(present))
        self._finish()

    async def _to_the_end(self, changes: Changes | None) -> None:
        """Do these changes, or what a look leaves to do; what has to settle is waited for, as nobody comes back to it.

        Raises Drained where the run is asked to stop meanwhile.
        """
        with self._failing_unlisted():
            while True:
                try:
                    await self._rounds(await self._look_again() if changes is None else changes)
                except SetAside as aside:
                    changes = None
                    await self._wait_until(aside.due)
                else:
                    return

    async def _wait_until(self, due: float) -> None:
        stop = self._tools.stop
        with anyio.move_on_after(max(0.0, due - loop_time())) as scope:
            stop.on_drain(scope.cancel)
            await anyio.sleep_forever()
        if stop.draining:
            raise Drained

    def _settled(self) -> None:
        """The last look is over. What may still come after it, and a twin that was left, is for the next run to notice."""
        event: events.Event = {"event": "settled", "product_id": self.batch.product_id}
        resent = resent_in(self.batch, self.course)
        if resent:
            event["resent"] = resent
        self._tools.note(event)

    def _finish(self) -> None:
        # Without any look since, what was remembered after the plan had been made is the best there is.
        self.batch.memory |= self.batch.since
        memory = known(self.batch, self.course, self._gone)
        event: events.Event = {"event": "finished", "product_id": self.batch.product_id, "images": memory}
        event["counts"] = self.course.counts()
        if self._left_as:
            event["orders"] = [(image.image_id, image.sort_order) for image in self._left_as]
        # What the plan knew of the store's own values holds where nobody has looked since.
        alone = [failure for failure in self.batch.left_alone if failure.field is None or self._own is None]
        failures = self._writes.failures + alone + (self._own or [])
        if failures:
            event["failures"] = [asdict(failure) for failure in failures]
        self._tools.note(event)
