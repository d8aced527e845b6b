"""Looks at one product: when a listing may be believed, and what is asked where it still contradicts the store's own answers.

The answer to a write is believed before any listing. A listing that lags behind it is looked at again; one that still does
so a settle after the last write is not believed over the images themselves, which are then asked for one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...clock import loop_time
from ...core.errors import MissingError
from ...core.reconcile.remaining import contradicted, unmoved, witnesses
from ...core.reconcile.stale import is_stale
from .io import SetAside

if TYPE_CHECKING:
    from ...core.checkpoint.states import Course
    from ...core.model import Present
    from .io import Tools
    from .writer import Writes

FULL_PATIENCE = 8.0
"""The longest pause, in seconds, between two looks at a listing that lags."""


class Looks:
    """Of one product, with what was written to it."""

    def __init__(self, product_id: int, tools: Tools, course: Course, writes: Writes) -> None:
        self._product_id = product_id
        self._tools = tools
        self._course = course
        self._writes = writes
        self._patience = 0.5
        self._was_stale = False
        self._was_wrong = False

    async def look(self) -> tuple[list[Present], float]:
        """The product's images as they can be believed to be, and since when (the loop's clock).

        Raises SetAside where it is too early to tell.
        """
        self._wait_for_lag()
        # An answer that takes long shows the store as it was when it was asked, or little later.
        asked = loop_time()
        present = await self._tools.list(self._product_id)
        suspects = set(unmoved(self._course, present)) if asked >= self._writes.lost_at + self._tools.settle else set()
        wrong = self._was_wrong or self._is_stale(present, asked) or bool(suspects)
        if wrong:
            suspects |= contradicted(self._course, present, self._writes.written)
        else:
            suspects = witnesses(present, self._writes.written, self._writes.shown.values())
        if wrong or suspects:
            present = await self._one_by_one(present, suspects)
        return present, asked

    def _is_stale(self, present: list[Present], asked: float) -> bool:
        """Whether a listing lags behind what was confirmed although a settle has passed since the last write.

        Raises SetAside where that time has not come.
        """
        writes, seen = self._writes, self._tools.seen
        now, until = loop_time(), writes.wrote_at + self._tools.settle
        stale = is_stale(self._course, present, writes.written, writes.shown.values())
        if stale and asked < until:
            self._patience = min(2 * self._patience, FULL_PATIENCE)
            self._was_stale = True
            raise SetAside(max(now, min(now + self._patience, until)))
        if self._was_stale and not stale:
            seen.lag = min(max(seen.lag, asked - writes.wrote_at), self._tools.settle)
        self._was_stale = False
        return stale

    def _wait_for_lag(self) -> None:
        """On a store whose listings were seen to lag, no look comes earlier after a write than they lagged then.

        Raises SetAside.
        """
        ready = self._writes.wrote_at + self._tools.seen.lag
        if self._writes.written and loop_time() < ready:
            raise SetAside(ready)

    async def _one_by_one(self, listed: list[Present], suspects: set[int]) -> list[Present]:
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

    async def _ask(self, image_id: int, images: dict[int, Present]) -> bool:
        """Put the image as it is in place of the listed one; whether it differs."""
        listed = images.pop(image_id, None)
        try:
            image = await self._tools.store.image(self._product_id, image_id)
        except MissingError:
            return listed is not None
        image.url = listed.url if listed is not None else None
        images[image_id] = image
        return image != listed
