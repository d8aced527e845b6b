"""The changes of one product: creates, updates and deletes, and what the comparison found beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..identities import IdentityMap, OwnValues


@dataclass(slots=True)
class Create:
    """POST the image of manifest row `row` with these fields; `replaces` is the image whose bytes are outdated."""

    row: int
    fields: dict[str, Any]
    replaces: int | None = None


@dataclass(slots=True)
class Update:
    """PUT these fields of one image; `before` holds what they were."""

    image_id: int
    fields: dict[str, Any]
    before: dict[str, Any]


@dataclass(slots=True)
class Changes:
    """One product's changes in the order of applying: creates, then updates by ascending sort order, then deletes."""

    creates: list[Create] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    deletes: list[int] = field(default_factory=list)
    recheck: bool = False

    def __bool__(self) -> bool:
        return bool(self.creates or self.updates or self.deletes)


@dataclass(slots=True)
class Difference:
    """What the diff of one product found: `pairs` row -> image id, `memory` as it is from now on, `outdated` rows.

    `guessed` are the rows of pairs that nothing but their name tells, and that not clearly.
    `own`: row -> the fields that stay as the store made them, since sending the same again would change nothing.
    """

    changes: Changes
    pairs: dict[int, int]
    identities: IdentityMap
    outdated: list[int]
    guessed: list[int] = field(default_factory=list)
    own: dict[int, OwnValues] = field(default_factory=dict)
