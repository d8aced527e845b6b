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

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .errors import CheckpointError
from .report import MOST_FAILURES, Failure, Report, images_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .kept import Kept

Event = dict[str, Any]


class State:
    """Where one change of one product stands. Plain strings: an Enum's hash costs a call an event."""

    PLANNED: Final = "planned"
    SENT: Final = "sent"
    UNKNOWN: Final = "unknown"
    DONE: Final = "done"
    FAILED: Final = "failed"


TRANSITIONS: dict[tuple[str, str], str] = {
    (State.PLANNED, "sent"): State.SENT,
    (State.PLANNED, "found"): State.DONE,
    (State.FAILED, "sent"): State.SENT,
    (State.FAILED, "found"): State.DONE,
    (State.FAILED, "absent"): State.PLANNED,
    (State.DONE, "sent"): State.SENT,
    (State.DONE, "found"): State.DONE,
    (State.UNKNOWN, "sent"): State.SENT,
    (State.SENT, "sent"): State.SENT,
    (State.SENT, "confirmed"): State.DONE,
    (State.SENT, "refused"): State.FAILED,
    (State.PLANNED, "refused"): State.FAILED,
    (State.FAILED, "refused"): State.FAILED,
    (State.DONE, "refused"): State.FAILED,
    (State.SENT, "deferred"): State.PLANNED,
    (State.SENT, "lost"): State.UNKNOWN,
    (State.SENT, "found"): State.DONE,
    (State.SENT, "absent"): State.PLANNED,
    (State.UNKNOWN, "found"): State.DONE,
    (State.UNKNOWN, "absent"): State.PLANNED,
    (State.UNKNOWN, "lost"): State.UNKNOWN,
}


@dataclass(slots=True)
class Change:
    """One change of a product: its state, how often it was looked for in vain, and what was sent (of creates for undo alone).

    `confirmed`: how often the store answered that it was done, in this run, however many processes that took. `found`: a look told that it had happened, no answer. `failure` says why it was refused, as long as nothing else came of it.
    """

    state: str = State.PLANNED
    absents: int = 0
    confirmed: int = 0
    found: bool = False
    sent: Event | None = None
    failure: Failure | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether it may or may not have happened."""
        return self.state in {State.SENT, State.UNKNOWN}

    def images(self) -> int:
        """How many images it is about: one, but for delete-many."""
        return len((self.sent or {}).get("image_ids", (0,)))


@dataclass(slots=True)
class Course:
    """What has been done in one product. Keys of `changes` are `create:ROW`, `update:ID`, `delete:ID`, `empty`.

    `made` is image id -> manifest row, `written` the names of the fields that were put, by image id; `own` the values that
    the store answered in place of those that were sent, by image id; `orders` the sort orders that the last look showed,
    kept for undo where the run looked.
    """

    changes: dict[str, Change] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    written: dict[int, set[str]] = field(default_factory=dict)
    own: dict[int, Kept] = field(default_factory=dict)
    updated: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    orders: dict[int, int] = field(default_factory=dict)
    adopted: int = 0
    doubted: bool = False

    def confirmed(self, image_id: int) -> int:
        """How often an update of this image was answered in this run."""
        change = self.changes.get(f"update:{image_id}")
        return 0 if change is None else change.confirmed

    def counts(self) -> list[int]:
        """Created, updated, deleted, adopted: what `finished` carries, so that a replay need not go through it all."""
        return [len(self.made), len(self.updated), len(self.deleted), self.adopted]

    def _creates(self) -> Iterator[tuple[int, Change]]:
        """Every create that was told of: its manifest row, and how it stands."""
        return ((int(key[7:]), change) for key, change in self.changes.items() if key.startswith("create:"))

    def unknown_creates(self) -> list[int]:
        """The manifest rows whose create may or may not have happened."""
        return [row for row, create in self._creates() if create.in_doubt]

    def given_up(self) -> list[int]:
        """The rows whose create was looked for in vain, and not sent again or then refused: it may appear all the same."""
        given_up = {State.PLANNED, State.FAILED}
        return [row for row, create in self._creates() if create.absents and create.state in given_up]

    def twins_possible(self) -> list[int]:
        """The rows whose create was sent again after a look in vain: the first one may still have come to be."""
        return [row for row, create in self._creates() if create.absents]

    def made_again(self) -> list[int]:
        """Those of them that have an image: whatever else of that name appears is a second one."""
        rows = set(self.made.values())
        return [row for row in self.twins_possible() if row in rows]

    def bereft(self, present: set[int]) -> list[int]:
        """The rows whose create was in doubt before it was done, and whose image has been taken away since.

        A second one that is there stands in for it; the one that was found first may have been somebody else's, even.
        """
        standing = {row for image_id, row in self.made.items() if image_id in present | self.deleted}
        doubted = (row for row, c in self._creates() if c.state == State.DONE and (c.found or c.absents))
        return [row for row in doubted if row not in standing]


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
        self.courses: dict[int, Course] = {}
        self.finished: set[int] = set()
        self.doubted: set[int] = set()
        self.totals = Totals()
        self.failures: dict[int, list[Failure]] = {}
        self._tried_again: set[int] = set()
        self.stopped: str | None = None
        self.resent: dict[int, dict[str, list[int]]] = {}
        self.unsure: set[int] = set()
        """The products in which an update was sent again: the earlier sending may land at any time, and move its siblings."""
        self.seen: Event | None = None

    def course(self, product_id: int) -> Course:
        """The course of a product, begun where there is none."""
        course = self.courses.get(product_id)
        if course is None:
            course = self.courses[product_id] = Course()
        return course

    def unknown(self) -> int:
        """How many images have a change in doubt: sent, and no word of what came of it."""
        return sum(change.images() for c in self.courses.values() for change in c.changes.values() if change.in_doubt)

    def creates_in_doubt(self) -> int:
        """How many creates may or may not have happened."""
        return sum(len(course.unknown_creates()) for course in self.courses.values())

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
                self.doubted.discard(event["product_id"])
                if "resent" in event:
                    self.resent[event["product_id"]] = event["resent"]
                self._forget(event["product_id"])
            elif kind == "unsure":
                self.unsure.add(event["product_id"])
            elif kind == "seen":
                self.seen = event
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
            change = course.changes[key] = Change()
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
            course.doubted = True
            self.doubted.add(product_id)
            change.absents += kind == "absent"

    def _done(self, course: Course, key: str, event: Event) -> None:
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
        held = (self.doubted, self.failures, self._tried_again)
        over = product_id in self.finished and not any(product_id in each for each in held)
        if over and not self._keep_all:
            self.courses.pop(product_id, None)

    def tell(self, report: Report) -> None:
        """Put the counts over the whole run into a report; refused images fail, whether or not their product is finished."""
        totals, refused = self.totals, self._refused()
        report.created, report.updated, report.deleted = totals.created, totals.updated, totals.deleted
        report.adopted, report.unknown = totals.adopted, self.unknown()
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


def _answered(course: Course, image_id: int, sent: Iterable[str], event: Event) -> None:
    """Take in what the store made of the fields that it was sent; what it took as it was is no longer its own."""
    own = {name: pair for name, pair in course.own.get(image_id, {}).items() if name not in sent}
    own.update((name, (pair[0], pair[1])) for name, pair in event.get("own", {}).items())
    if own or image_id in course.own:
        course.own[image_id] = own


def _check_sent(key: str, event: Event) -> None:
    """What a look will have to go by must be there, in its shape."""
    verb, _, number = key.partition(":")
    if verb == "delete":
        sound = number.isdigit()
    elif verb in {"create", "update"}:
        fields = event.get("fields")
        named = isinstance(fields, dict) and fields.keys() <= _FIELDS
        sound = number.isdigit() and (named or (verb == "create" and fields is None))
    else:
        ids = event.get("image_ids")
        sound = verb == "empty" and isinstance(ids, list) and all(type(image_id) is int for image_id in ids)
    if not sound:
        raise CheckpointError(f"what was sent is not told ({key})")


_FIELDS = frozenset({"description", "sort_order", "is_thumbnail"})
_OUTCOMES = frozenset({"sent", "confirmed", "refused", "deferred", "lost", "found", "absent"})


def sent(product_id: int, change: str, **more: Any) -> Event:  # `more` is what undo will need
    """The intent to send one change, journalled before it goes, with the fields that were there before."""
    return {"event": "sent", "product_id": product_id, "change": change, **more}


def outcome(kind: str, product_id: int, change: str, **more: Any) -> Event:
    """What came of a change: `confirmed`, `refused`, `deferred`, `lost`, `found` or `absent`."""
    return {"event": kind, "product_id": product_id, "change": change, **more}
