"""The store's quota: a fixed window shared by all callers, pure: it is told the time.

Headers and their meaning: store-api.md section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import merge
from itertools import count
from math import ceil, floor
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import Config

_NEVER = float("inf")


@dataclass(slots=True)
class Usage:
    """What became of the calls so far: the callers' own and another app's."""

    taken: int = 0
    refused: int = 0
    other_taken: int = 0
    other_refused: int = 0


class RateLimiter:
    """Counts calls in windows of `window_ms`; `now` is in seconds of any clock that doesn't go back."""

    def __init__(self, config: Config, now: float) -> None:
        self._config = config
        self._used = 0
        self._end = -_NEVER
        self._others = arrivals(config, now)
        self._next_other = next(self._others, _NEVER)
        self.usage = Usage()

    def take(self, now: float) -> bool:
        """Take one call from the window; False where none is left. Without a quota it is always True."""
        self._catch_up(now)
        granted = self._grant(now)
        if granted:
            self.usage.taken += 1
        else:
            self.usage.refused += 1
        return granted

    def headers(self, now: float) -> list[tuple[str, str]]:
        """Return the four headers as they stand now, or none where the store has no quota or keeps it to itself."""
        config = self._config
        if config.quota is None or not config.rate_headers:
            return []
        self._catch_up(now)
        self._roll(now)
        return [
            ("X-Rate-Limit-Requests-Left", str(max(0, config.quota - self._used))),
            ("X-Rate-Limit-Requests-Quota", str(config.quota)),
            ("X-Rate-Limit-Time-Window-Ms", str(config.window_ms)),
            ("X-Rate-Limit-Time-Reset-Ms", str(self.reset_ms(now))),
        ]

    def reset_ms(self, now: float) -> int:
        """Milliseconds until the window ends; a whole window where none has begun."""
        self._roll(now)
        rest = self._config.window_ms if self._end == -_NEVER else max(0, ceil((self._end - now) * 1000))
        return ceil(rest / 1000) * 1000 if self._config.whole_seconds else rest

    def _catch_up(self, now: float) -> None:
        while self._next_other <= now:
            if self._grant(self._next_other):
                self.usage.other_taken += 1
            else:
                self.usage.other_refused += 1
            self._next_other = next(self._others, _NEVER)

    def _grant(self, now: float) -> bool:
        if self._config.quota is None:
            return True
        self._roll(now)
        if self._used >= self._config.quota:
            return False
        if self._end == -_NEVER:
            self._end = now + self._config.window_ms / 1000
        self._used += 1
        return True

    def _roll(self, now: float) -> None:
        if now < self._end:
            return
        self._used = 0
        window = self._config.window_ms / 1000
        self._end = (floor(now / window) + 1) * window if self._config.windows == "aligned" else -_NEVER


def arrivals(config: Config, start: float) -> Iterator[float]:
    """Return when another app calls: at random by the seed at its rate, and in bursts; both may be off."""
    return merge(_at_random(config, start), _in_bursts(config, start))


def _at_random(config: Config, start: float) -> Iterator[float]:
    chance = Random(f"{config.seed}/other")  # noqa: S311 - to be repeatable, not secret
    now = start
    while config.other_rate > 0:
        now += chance.expovariate(config.other_rate)
        yield now


def _in_bursts(config: Config, start: float) -> Iterator[float]:
    if config.other_burst <= 0 or config.other_every <= 0:
        return
    for n in count(1):
        yield from [start + n * config.other_every] * config.other_burst
