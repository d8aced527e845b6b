"""Where calls sit that are to be tried again later. Waits, sends nothing; the clock is the running loop's."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from ..core.errors import renewed
from ..core.text import LONG_WAIT, in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.errors import StoreError


class BackoffQueue:
    """The calls that sit out a delay; all of them can be sent home at once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._sitting: dict[asyncio.Future[None], tuple[float, str]] = {}
        self._shut: StoreError | None = None
        self._said = -math.inf

    async def sleep(self, delay: float, reason: str) -> None:
        """Wait `delay` seconds because of `reason`; over a minute is said.

        Raises:
            StoreError: the bench was shut with it.

        """
        if self._shut is not None:
            raise renewed(self._shut)
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(delay, _wake, over)
        self._sitting[over] = (loop.time() + delay, reason)
        due = loop.time() + delay
        if delay > LONG_WAIT and due > self._said + LONG_WAIT:
            self._said = due
            self._say(f"waiting {in_words(delay)} before another try, as the store asks: {reason}")
        try:
            await over
        finally:
            timer.cancel()
            del self._sitting[over]

    def close(self, error: StoreError) -> None:
        """Send everybody home, and whoever comes later, with `error`."""
        self._shut = error
        for over in self._sitting:
            if not over.done():
                over.set_exception(renewed(error))

    def __len__(self) -> int:
        """How many sit."""
        return len(self._sitting)

    def next(self) -> tuple[float, str] | None:
        """Tell who gets up first: when, and what for it sits."""
        return min(self._sitting.values(), default=None)


def _wake(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)
