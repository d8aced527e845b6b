"""The writes to one product since its last listing, and the times that say when a listing can show them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..identities import changed_by_store
from .stale import Written
from .traits import WriteRound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..checkpoint.states import ProductLedger
    from ..diff.changes import Update
    from ..model import StoredImage


class WriteLog:
    """The writes to one product, with times in seconds of the caller's clock.

    `wrote_at` is the last confirmed write, `lost_at` the last lost answer. `relist` asks for a listing after this round.
    `shown` is the gallery before the round, by image id.
    """

    def __init__(self, ledger: ProductLedger, present: list[StoredImage], now: float) -> None:
        self.lost_at = self.wrote_at = now
        self.relist = False
        # An earlier process of this run does not say when it wrote: its time to settle begins again.
        self._put_at = dict.fromkeys(_confirmed_values(ledger), now)
        self.start_round(present)

    def start_round(self, present: list[StoredImage]) -> None:
        """Begin a round of writes to a gallery that stands like `present`."""
        self.round = WriteRound(present)
        self.written: list[Written] = []
        self.shown = {image.image_id: image for image in present}

    def ask_for_listing(self, now: float) -> None:
        """Leave it to the next listing, which may lag, to show how much of a write has happened."""
        self.relist = True
        self.lost_at = now

    def confirm(self, image: StoredImage, fields: dict[str, Any]) -> None:
        """Record `image` as the store answered the write of `fields`; a listing that shows other values lags.

        If the store answered other values than were sent, a listing has to show what that did to the siblings.
        """
        own = changed_by_store(fields, image)
        self.relist = self.relist or bool(own)
        text = image.description if "description" in fields else None
        order = image.sort_order if "sort_order" in fields else None
        flag = image.is_thumbnail if "is_thumbnail" in fields else None
        self.written.append(Written(image.image_id, text, order, flag, "sort_order" in own))

    def confirm_update(self, image: StoredImage, update: Update) -> None:
        """Record a confirmed update, and when its values were written."""
        self._put_at |= dict.fromkeys(_values(update.image_id, update.fields), self.wrote_at)
        self.confirm(image, update.fields)

    def last_written(self, updates: list[Update]) -> float:
        """Return when any of the values in `updates` was last written, minus infinity if none was."""
        values = [value for update in updates for value in _values(update.image_id, update.fields)]
        return max((self._put_at[value] for value in values if value in self._put_at), default=-math.inf)


def _values(image_id: int, fields: dict[str, Any]) -> Iterator[tuple[int, str, Any]]:
    return ((image_id, name, value) for name, value in fields.items())


def _confirmed_values(ledger: ProductLedger) -> Iterator[tuple[int, str, Any]]:
    for key, change in ledger.changes.items():
        if key.startswith("update:") and change.confirmed and change.sent is not None:
            yield from _values(int(key[7:]), change.sent["fields"])
