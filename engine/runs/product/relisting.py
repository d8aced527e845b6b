"""Lists one product again until the listing can be believed.

The answer to a write counts more than any listing. A listing that contradicts it is read again; if it still does one settle
time after the last write, each image is read with a GET of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...clock import loop_time
from ...core.errors import MissingError
from ...core.reconcile.remaining import contradicted, unmoved
from ...core.reconcile.stale import contradicts, witnesses
from .io import Later

if TYPE_CHECKING:
    from ...core.checkpoint.states import ProductLedger
    from ...core.model import StoredImage
    from ...core.reconcile.write_log import WriteLog
    from .io import ProductIO

MAX_RELIST_DELAY = 8.0
"""The longest delay, in seconds, between two listings of a product whose listing lags."""


class Relisting:
    """The listings of one product, judged by what was written to it."""

    def __init__(self, product_id: int, io: ProductIO, ledger: ProductLedger, log: WriteLog) -> None:
        self._product_id = product_id
        self._io = io
        self._ledger = ledger
        self._log = log
        self._relist_delay = 0.5
        self._was_stale = False
        self._was_wrong = False

    async def relist(self) -> tuple[list[StoredImage], float]:
        """Return the product's images, and the loop time at which they were asked for.

        Raises Later if it is too early for a listing, or for this one to be believed.
        """
        self._wait_for_lag()
        # A slow answer may show the store as it was when it was asked.
        asked = loop_time()
        present = await self._io.list(self._product_id)
        suspects = set(unmoved(self._ledger, present)) if asked >= self._log.lost_at + self._io.settle_time else set()
        wrong = self._was_wrong or self._is_stale(present, asked) or bool(suspects)
        if wrong:
            suspects |= contradicted(self._ledger, present, self._log.written)
        elif self._may_lag() and not self._log.round.explains(present, self._io.traits.renumbering):
            suspects = witnesses(present, self._log.written, self._log.shown.values())
        if wrong or suspects:
            present = await self._one_by_one(present, suspects)
        return present, asked

    def _may_lag(self) -> bool:
        """Return True if a listing that contradicts nothing may be old all the same, on this store.

        Only stores whose listings were seen to lag, or that answer an order of their own, cost the call that finds out:
        everywhere else the calls sent are the calls planned.
        """
        return self._io.traits.listing_lag > 0 or any(write.own_order for write in self._log.written)

    def _is_stale(self, present: list[StoredImage], asked: float) -> bool:
        """Return True if a listing contradicts a confirmed write one settle time after the last one.

        Raises Later if it contradicts one before that time.
        """
        log, traits = self._log, self._io.traits
        now, until = loop_time(), log.wrote_at + self._io.settle_time
        stale = contradicts(self._ledger, present, log.written, log.shown.values())
        if stale and asked < until:
            self._relist_delay = min(2 * self._relist_delay, MAX_RELIST_DELAY)
            self._was_stale = True
            raise Later(max(now, min(now + self._relist_delay, until)))
        if self._was_stale and not stale:
            traits.listing_lag = min(max(traits.listing_lag, asked - log.wrote_at), self._io.settle_time)
        self._was_stale = False
        return stale

    def _wait_for_lag(self) -> None:
        """Raise Later if the last write is more recent than the longest listing lag seen on this store."""
        ready = self._log.wrote_at + self._io.traits.listing_lag
        if self._log.written and loop_time() < ready:
            raise Later(ready)

    async def _one_by_one(self, listed: list[StoredImage], suspects: set[int]) -> list[StoredImage]:
        """Return the listing with each suspect read by a GET; with every image read so if one of them differs.

        From then on every image of this product is read so: the next listing may be as old.
        """
        images = {image.image_id: image for image in listed}
        wrong = [await self._ask(image_id, images) for image_id in sorted(suspects)]
        self._was_wrong = self._was_wrong or any(wrong)
        if self._was_wrong:
            for image_id in sorted(images.keys() - suspects):
                await self._ask(image_id, images)
        return sorted(images.values(), key=lambda image: image.image_id)

    async def _ask(self, image_id: int, images: dict[int, StoredImage]) -> bool:
        """Replace a listed image by its own GET; return True if it differs."""
        listed = images.pop(image_id, None)
        try:
            image = await self._io.store.image(self._product_id, image_id)
        except MissingError:
            return listed is not None
        image.url = listed.url if listed is not None else None
        images[image_id] = image
        return image != listed
