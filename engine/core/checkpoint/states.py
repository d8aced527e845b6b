"""The states of a change, the table of transitions between them, and the record of one product."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..identities import OwnValues
    from ..results import Failure
    from .events import Event


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
class ChangeRecord:
    """One change of a product: its state, how often it was looked for in vain, and what was sent (of creates for undo alone).

    `confirmed`: how often the store answered that it was done, in this run, however many processes that took. `found`: a look told that it had happened, no answer. `failure` says why it was refused, as long as nothing else came of it.
    """

    state: str = State.PLANNED
    failed_lookups: int = 0
    confirmed: int = 0
    found: bool = False
    sent: Event | None = None
    failure: Failure | None = None

    @property
    def unconfirmed(self) -> bool:
        """Whether it may or may not have happened."""
        return self.state in {State.SENT, State.UNKNOWN}

    def images(self) -> int:
        """How many images it is about: one, but for delete-many."""
        return len((self.sent or {}).get("image_ids", (0,)))


@dataclass(slots=True)
class ProductLedger:
    """What has been done in one product. Keys of `changes` are `create:ROW`, `update:ID`, `delete:ID`, `empty`.

    `made` is image id -> manifest row, `written` the names of the fields that were put, by image id; `own` the values that
    the store answered in place of those that were sent, by image id; `orders` the sort orders that the last look showed,
    kept for undo where the run looked.
    """

    changes: dict[str, ChangeRecord] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    written: dict[int, set[str]] = field(default_factory=dict)
    own: dict[int, OwnValues] = field(default_factory=dict)
    updated: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    orders: dict[int, int] = field(default_factory=dict)
    adopted: int = 0
    was_unconfirmed: bool = False

    def confirmed(self, image_id: int) -> int:
        """How often an update of this image was answered in this run."""
        change = self.changes.get(f"update:{image_id}")
        return 0 if change is None else change.confirmed

    def counts(self) -> list[int]:
        """Created, updated, deleted, adopted: what `finished` carries, so that a replay need not go through it all."""
        return [len(self.made), len(self.updated), len(self.deleted), self.adopted]

    def _creates(self) -> Iterator[tuple[int, ChangeRecord]]:
        """Every create that was told of: its manifest row, and how it stands."""
        return ((int(key[7:]), change) for key, change in self.changes.items() if key.startswith("create:"))

    def unconfirmed_creates(self) -> list[int]:
        """The manifest rows whose create may or may not have happened."""
        return [row for row, create in self._creates() if create.unconfirmed]

    def abandoned(self) -> list[int]:
        """The rows whose create was looked for in vain, and not sent again or then refused: it may appear all the same."""
        states = {State.PLANNED, State.FAILED}
        return [row for row, create in self._creates() if create.failed_lookups and create.state in states]

    def may_have_duplicates(self) -> list[int]:
        """The rows whose create was sent again after a look in vain: the first one may still have come to be."""
        return [row for row, create in self._creates() if create.failed_lookups]

    def created_after_retry(self) -> list[int]:
        """Those of them that have an image: whatever else of that name appears is a second one."""
        rows = set(self.made.values())
        return [row for row in self.may_have_duplicates() if row in rows]

    def lost_images(self, present: set[int]) -> list[int]:
        """The rows whose create was in doubt before it was done, and whose image has been taken away since.

        A second one that is there stands in for it; the one that was found first may have been somebody else's, even.
        """
        standing = {row for image_id, row in self.made.items() if image_id in present | self.deleted}
        unconfirmed = (row for row, c in self._creates() if c.state == State.DONE and (c.found or c.failed_lookups))
        return [row for row in unconfirmed if row not in standing]
