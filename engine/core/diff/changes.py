"""The changes of one product.

Creates, updates and deletes, and what the comparison found beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..identities import IdentityMap, OwnValues


@dataclass(slots=True)
class Create:
    """POST the image of manifest row `row`.

    `replaces` is the image with outdated bytes.
    """

    row: int
    fields: dict[str, Any]
    replaces: int | None = None


@dataclass(slots=True)
class Update:
    """PUT these fields of one image; `before` has the values they replace."""

    image_id: int
    fields: dict[str, Any]
    before: dict[str, Any]


@dataclass(slots=True)
class Changes:
    """One product's changes in the order of applying: creates, updates, deletes.

    Updates ascend by sort order. `recheck`: list the product again after the writes.
    """

    creates: list[Create] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    deletes: list[int] = field(default_factory=list)
    recheck: bool = False

    def __bool__(self) -> bool:
        return bool(self.creates or self.updates or self.deletes)


@dataclass(slots=True)
class Difference:
    """The result of comparing one product.

    `matches` (row to image id) and `outdated` rows.

    `identities` are the known images from now on. `guessed` has the rows matched by an ambiguous name only. `own` has, by
    row, the fields that stay as the store changed them, because sending them again would change nothing.
    """

    changes: Changes
    matches: dict[int, int]
    identities: IdentityMap
    outdated: list[int]
    guessed: list[int] = field(default_factory=list)
    own: dict[int, OwnValues] = field(default_factory=dict)
