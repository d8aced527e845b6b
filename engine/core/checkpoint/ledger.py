"""What a run has done, told by its events alone: the rules of the checkpoint. Replaying any prefix is legal.

A create is not idempotent and an answer can be lost, so "sent, and no answer" is a state of its own:

    PLANNED  sent -> SENT        SENT     confirmed -> DONE     UNKNOWN  found -> DONE     PLANNED  found -> DONE
    FAILED   sent -> SENT        SENT     refused   -> FAILED   UNKNOWN  absent -> PLANNED  FAILED   found -> DONE
    DONE     sent -> SENT        SENT     deferred  -> PLANNED  UNKNOWN  sent -> SENT (update, delete: looked at first)
    DONE     found -> DONE       SENT     lost      -> UNKNOWN  FAILED   absent -> PLANNED

DONE -> SENT is an image that is written again by mending, or made again because somebody took it away. A SENT with
nothing after it, as a crash leaves it, reads as UNKNOWN. PLANNED -> DONE by a find is a create that was given up and
appeared all the same; DONE -> DONE, a create that was sent again: somebody took its image away, and the other stands
in. FAILED -> PLANNED is a refused update that isn't needed any more. What is settled, PLANNED, FAILED or DONE, may be
refused without being sent: its picture is no picture any more, or its answer was lost too often. A finished product
keeps no states unless it failed or is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import CheckpointError
from ..results import MOST_FAILURES, Failure, Report, images_in
from .events import _OUTCOMES, Event, _check_sent
from .states import TRANSITIONS, ChangeRecord, ProductLedger, State

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Totals:
    """Images over the whole run. Failures are of the products as they stand; a product tried again replaces its own."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    adopted: int = 0
    failed: int = 0
    products_done: int = 0


class Ledger:
    """Folds events. Holds the courses of products under way or in doubt, and of the finished no more than failures.

    With `keep_all` every course is kept: the history that undo reads.
    """

    def __init__(self, *, keep_all: bool = False) -> None:
        self._keep_all = keep_all
        self.courses: dict[int, ProductLedger] = {}
        self.finished: set[int] = set()
        self.was_unconfirmed: set[int] = set()
        self.totals = Totals()
        self.failures: dict[int, list[Failure]] = {}
        self._tried_again: set[int] = set()
        self.stopped: str | None = None
        self.retried_creates: dict[int, dict[str, list[int]]] = {}
        self.unsure: set[int] = set()
        """The products in which an update was sent again: the earlier sending may land at any time, and move its siblings."""
        self.traits: Event | None = None

    def course(self, product_id: int) -> ProductLedger:
        """The course of a product, begun where there is none."""
        course = self.courses.get(product_id)
        if course is None:
            course = self.courses[product_id] = ProductLedger()
        return course

    def unconfirmed(self) -> int:
        """How many images have a change in doubt: sent, and no word of what came of it."""
        return sum(
            change.images() for c in self.courses.values() for change in c.changes.values() if change.unconfirmed
        )

    def creates_in_doubt(self) -> int:
        """How many creates may or may not have happened."""
        return sum(len(course.unconfirmed_creates()) for course in self.courses.values())

    def apply(self, event: Event) -> None:
        """Take one event in.

        Raises CheckpointError where the event can't follow what came before it.
        """
        kind = event.get("event")
        product_id = event.get("product_id", 1)
        if type(product_id) is not int or product_id < 1:
            raise CheckpointError(f"an event of a product that can't be: {product_id!r:.40}")
        try:
            if kind in _OUTCOMES:
                self._change(event, kind)
            elif kind == "finished":
                self._finish(event)
            elif kind == "settled":
                self.was_unconfirmed.discard(event["product_id"])
                if "resent" in event:
                    self.retried_creates[event["product_id"]] = event["resent"]
                self._forget(event["product_id"])
            elif kind == "unsure":
                self.unsure.add(event["product_id"])
            elif kind == "seen":
                self.traits = event
            elif kind == "started":
                self.stopped = None
            elif kind == "stopped":
                self.stopped = str(event["why"])
            else:
                raise CheckpointError(f"an event of an unknown kind: {kind!r}")
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"an event without what it needs ({type(error).__name__}: {error})") from None

    def _change(self, event: Event, kind: str) -> None:
        product_id, key = event["product_id"], event["change"]
        course = self.courses.get(product_id) or self.course(product_id)
        change = course.changes.get(key)
        if change is None:
            change = course.changes[key] = ChangeRecord()
        following = TRANSITIONS.get((change.state, kind))
        if following is None:
            raise CheckpointError(f"{kind!r} can't follow {change.state!r} ({key} of product {product_id})")
        change.state = following
        change.failure = _failure(event) if kind == "refused" else None
        change.found = change.found or kind == "found"
        if kind == "sent":
            _check_sent(key, event)
            change.sent = event if self._keep_all or not key.startswith("create:") else None
            return
        if following == State.DONE:
            self._done(course, key, event)
        elif key.startswith("create:") and kind in {"lost", "absent"}:
            course.was_unconfirmed = True
            self.was_unconfirmed.add(product_id)
            change.failed_lookups += kind == "absent"

    def _done(self, course: ProductLedger, key: str, event: Event) -> None:
        verb, _, number = key.partition(":")
        if verb == "create":
            course.made[event["image_id"]] = int(number)
            _answered(course, event["image_id"], (), event)
            self.totals.created += 1
            if event["event"] == "found":
                self.totals.adopted += 1
                course.adopted += 1
        elif verb == "update":
            image_id = int(number)
            put = course.changes[key].sent
            course.changes[key].confirmed += event["event"] == "confirmed"
            if put is not None:
                course.written.setdefault(image_id, set()).update(put["fields"])
                _answered(course, image_id, put["fields"], event)
            if image_id not in course.updated and image_id not in course.made:
                course.updated.add(image_id)
                self.totals.updated += 1
        elif event.get("ours", True):
            gone = [int(number)] if verb == "delete" else event["image_ids"]
            self.totals.deleted += len(set(gone) - course.deleted)
            course.deleted.update(gone)

    def _finish(self, event: Event) -> None:
        product_id = event["product_id"]
        failures = [Failure(**failure) for failure in event.get("failures", ())]
        if self._keep_all and "orders" in event:
            self.course(product_id).orders = dict(event["orders"])
        former = self.failures.pop(product_id, [])
        if former:
            self._tried_again.add(product_id)
        self.totals.failed += images_in(failures) - images_in(former)
        if failures:
            self.failures[product_id] = failures
        if product_id not in self.finished:
            self.finished.add(product_id)
            self.totals.products_done += 1
        self._forget(product_id)

    def take_finished(self, product_id: int, counts: list[int]) -> None:
        """A product that finished well, by the sum that its last event carries: created, updated, deleted, adopted."""
        totals = self.totals
        created, updated, deleted, adopted = counts
        totals.created += created
        totals.updated += updated
        totals.deleted += deleted
        totals.adopted += adopted
        totals.products_done += 1
        self.finished.add(product_id)

    def reopen(self, product_id: int) -> None:
        """A product that had failed is to be tried again; its failures stand until it has been."""
        if product_id in self.finished:
            self.finished.discard(product_id)
            self.totals.products_done -= 1

    def _forget(self, product_id: int) -> None:
        """A product that was tried again after a failure may fail again: what it made must be known then."""
        held = (self.was_unconfirmed, self.failures, self._tried_again)
        over = product_id in self.finished and not any(product_id in each for each in held)
        if over and not self._keep_all:
            self.courses.pop(product_id, None)

    def fill(self, report: Report) -> None:
        """Put the counts over the whole run into a report; refused images fail, whether or not their product is finished."""
        totals, refused = self.totals, self._refused()
        report.created, report.updated, report.deleted = totals.created, totals.updated, totals.deleted
        report.adopted, report.unknown = totals.adopted, self.unconfirmed()
        report.failed = totals.failed + sum(map(len, refused.values()))
        report.failures = self._named_failures(refused)

    def failed_products(self) -> set[int]:
        """The products of which anything failed or was refused."""
        return self.failures.keys() | {product_id for product_id, refused in self._refused().items() if refused}

    def _refused(self) -> dict[int, list[Failure]]:
        """What was refused in products that are not finished, but for what stands as their failure from an earlier try."""
        refused: dict[int, list[Failure]] = {}
        for product_id, course in self.courses.items():
            if product_id not in self.finished:
                told = {(failure.image_file, failure.image_id) for failure in self.failures.get(product_id, ())}
                failures = [change.failure for change in course.changes.values() if change.failure is not None]
                refused[product_id] = [f for f in failures if (f.image_file, f.image_id) not in told]
        return refused

    def _named_failures(self, refused: dict[int, list[Failure]]) -> list[Failure]:
        """The first failures, as many as a report names, in product order."""
        named: list[Failure] = []
        for product_id in sorted(self.failures.keys() | refused.keys()):
            named += self.failures.get(product_id, []) + refused.get(product_id, [])
            if len(named) >= MOST_FAILURES:
                break
        return named[:MOST_FAILURES]


def _failure(event: Event) -> Failure:
    told = {name: event.get(name) for name in ("product_id", "image_file", "image_id", "line")}
    return Failure(**told, status=event.get("status") or None, reason=str(event.get("reason", "")))


def _answered(course: ProductLedger, image_id: int, sent: Iterable[str], event: Event) -> None:
    """Take in what the store made of the fields that it was sent; what it took as it was is no longer its own."""
    own = {name: pair for name, pair in course.own.get(image_id, {}).items() if name not in sent}
    own.update((name, (pair[0], pair[1])) for name, pair in event.get("own", {}).items())
    if own or image_id in course.own:
        course.own[image_id] = own
