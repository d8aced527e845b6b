"""Looks at one product: when a listing may be believed, and what is asked where it still contradicts the store's own answers.

The answer to a write is believed before any listing. A listing that lags behind it is looked at again; one that still does
so a settle after the last write is not believed over the images themselves, which are then asked for one by one.
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
    from .io import ProductIO
    from .writer import ProductWriter

MAX_RELIST_DELAY = 8.0
"""The longest pause, in seconds, between two looks at a listing that lags."""


class Relisting:
    """Of one product, with what was written to it."""

    def __init__(self, product_id: int, io: ProductIO, course: ProductLedger, writer: ProductWriter) -> None:
        self._product_id = product_id
        self._io = io
        self._course = course
        self._writer = writer
        self._relist_delay = 0.5
        self._was_stale = False
        self._was_wrong = False

    async def relist(self) -> tuple[list[StoredImage], float]:
        """The product's images as they can be believed to be, and since when (the loop's clock).

        Raises SetAside where it is too early to tell.
        """
        self._wait_for_lag()
        # An answer that takes long shows the store as it was when it was asked, or little later.
        asked = loop_time()
        present = await self._io.list(self._product_id)
        suspects = (
            set(unmoved(self._course, present)) if asked >= self._writer.lost_at + self._io.settle_time else set()
        )
        wrong = self._was_wrong or self._is_stale(present, asked) or bool(suspects)
        if wrong:
            suspects |= contradicted(self._course, present, self._writer.written)
        elif self._may_lag() and not self._writer.round.explains(present, self._io.traits.renumbering):
            suspects = witnesses(present, self._writer.written, self._writer.shown.values())
        if wrong or suspects:
            present = await self._one_by_one(present, suspects)
        return present, asked

    def _may_lag(self) -> bool:
        """Return True if a listing that contradicts nothing may be old all the same, on this store.

        Only stores whose listings were seen to lag, or that answer an order of their own, cost the call that finds out:
        everywhere else the calls sent are the calls planned.
        """
        return self._io.traits.listing_lag > 0 or any(write.own_order for write in self._writer.written)

    def _is_stale(self, present: list[StoredImage], asked: float) -> bool:
        """Whether a listing lags behind what was confirmed although a settle has passed since the last write.

        Raises SetAside where that time has not come.
        """
        writes, seen = self._writer, self._io.traits
        now, until = loop_time(), writes.wrote_at + self._io.settle_time
        stale = contradicts(self._course, present, writes.written, writes.shown.values())
        if stale and asked < until:
            self._relist_delay = min(2 * self._relist_delay, MAX_RELIST_DELAY)
            self._was_stale = True
            raise Later(max(now, min(now + self._relist_delay, until)))
        if self._was_stale and not stale:
            seen.listing_lag = min(max(seen.listing_lag, asked - writes.wrote_at), self._io.settle_time)
        self._was_stale = False
        return stale

    def _wait_for_lag(self) -> None:
        """On a store whose listings were seen to lag, no look comes earlier after a write than they lagged then.

        Raises SetAside.
        """
        ready = self._writer.wrote_at + self._io.traits.listing_lag
        if self._writer.written and loop_time() < ready:
            raise Later(ready)

    async def _one_by_one(self, listed: list[StoredImage], suspects: set[int]) -> list[StoredImage]:
        """The listing with the images that it may be wrong about as they are; with all of them where it is wrong indeed.

        From then on this product's listings are only asked for which images there are: the next may be as old.
        """
        images = {image.image_id: image for image in listed}
        wrong = [await self._ask(image_id, images) for image_id in sorted(suspects)]
        self._was_wrong = self._was_wrong or any(wrong)
        if self._was_wrong:
            for image_id in sorted(images.keys() - suspects):
                await self._ask(image_id, images)
        return sorted(images.values(), key=lambda image: image.image_id)

    async def _ask(self, image_id: int, images: dict[int, StoredImage]) -> bool:
        """Put the image as it is in place of the listed one; whether it differs."""
        listed = images.pop(image_id, None)
        try:
            image = await self._io.store.image(self._product_id, image_id)
        except MissingError:
            return listed is not None
        image.url = listed.url if listed is not None else None
        images[image_id] = image
        return image != listed
