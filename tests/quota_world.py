"""A model of what stands behind a store's quota: fixed windows, other apps, latency. For virtual time; shares no code with the engine.

`QuotaWorld` is a wire: `await world(request)` sleeps the way up, is counted by the store, sleeps the way down. It keeps the books
by which the controller is judged.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import anyio

from imageferry.core.messages import Request, Response

from .virtual import BEGIN

if TYPE_CHECKING:
    from collections.abc import Iterator


def steady(rate: float, seed: int, begin: float = BEGIN) -> Iterator[float]:
    """Another app's calls: `rate` a second at random, from `begin` on."""
    chance, at = random.Random(seed), begin
    while True:
        at += chance.expovariate(rate)
        yield at


def bursts(size: int, every: float, lasting: float, seed: int, begin: float = BEGIN) -> Iterator[float]:
    """Another app's calls: `size` of them within `lasting` seconds, once in `every` seconds, not quite on time."""
    chance, at = random.Random(seed), begin
    while True:
        first = at + chance.uniform(0.0, every / 4)
        yield from sorted(first + chance.uniform(0.0, lasting) for _ in range(size))
        at += every


def jobs(size: int, every: float, begin: float) -> Iterator[float]:
    """Another app's calls: `size` of them at once, on time, as a job makes them that a clock starts."""
    for at in count():
        yield from [begin + at * every] * size


@dataclass
class Latency:
    """Way up and way down of a call: log-normal about half the median each; `tail` of them take up to ten times as long."""

    median: float
    sigma: float = 0.25
    tail: float = 0.02

    def draw(self, chance: random.Random) -> float:
        """One way, in seconds."""
        way = self.median / 2 * math.exp(chance.gauss(0.0, self.sigma))
        return way * chance.uniform(2.0, 10.0) if chance.random() < self.tail else way


@dataclass
class Window:
    """The books of one window."""

    begin: float
    end: float
    quota: int
    own: int = 0
    other: int = 0
    own_rejected: int = 0
    other_rejected: int = 0

    @property
    def taken(self) -> int:
        return self.own + self.other


@dataclass
class QuotaWorld:
    """The store. `phase` None: a window begins with the first call after the last one's end; else windows are aligned to it."""

    quota: int = 150
    length: float = 30.0
    latency: Latency = field(default_factory=lambda: Latency(0.2))
    phase: float | None = 1007.3
    rounding: str = ""  # "", "ceil", "floor", "round": Reset-Ms to whole seconds
    others: Iterator[float] | None = None
    changes: list[tuple[float, int]] = field(default_factory=list)  # (when, the quota from then on)
    sleeps: list[tuple[float, float]] = field(default_factory=list)  # (when, seconds the client's clock stood still)
    spent: int = 0  # taken by others in the first window before the run
    seed: int = 1
    windows: list[Window] = field(default_factory=list)
    calls: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._next_other = next(self.others) if self.others else math.inf

    async def __call__(self, request: Request) -> Response:
        self.calls += 1
        await anyio.sleep(self.latency.draw(self.chance))
        answer = self.take(self.now())
        await anyio.sleep(self.latency.draw(self.chance))
        return answer

    def now(self) -> float:
        """What the store's clock shows: the client's, and all that it slept through."""
        at = anyio.current_time()
        return at + sum(seconds for when, seconds in self.sleeps if when <= at)

    def take(self, at: float) -> Response:
        """Count a call of the run's that reaches the store at `at`."""
        self._others_until(at)
        window = self._window(at)
        ok = window.taken < window.quota
        if ok:
            window.own += 1
        else:
            window.own_rejected += 1
        return Response(200 if ok else 429, self.headers(window, at), b"[]" if ok else b"{}")

    def headers(self, window: Window, at: float) -> dict[str, str]:
        """The four rate headers as of `at`."""
        reset = (window.end - at) * 1000
        whole = {"ceil": math.ceil, "floor": math.floor, "round": round}.get(self.rounding)
        reset = whole(reset / 1000) * 1000 if whole else round(reset)
        return {
            "x-rate-limit-requests-quota": str(window.quota),
            "x-rate-limit-requests-left": str(max(0, window.quota - window.taken)),
            "x-rate-limit-time-window-ms": str(round(self.length * 1000)),
            "x-rate-limit-time-reset-ms": str(int(reset)),
        }

    def _others_until(self, at: float) -> None:
        while self._next_other <= at:
            window = self._window(self._next_other)
            if window.taken < window.quota:
                window.other += 1
            else:
                window.other_rejected += 1
            self._next_other = next(self.others)

    def _window(self, at: float) -> Window:
        while self.changes and self.changes[0][0] <= at:
            self.quota = self.changes.pop(0)[1]
            if self.windows:
                self.windows[-1].quota = self.quota
        if not self.windows or at >= self.windows[-1].end:
            begin = at if self.phase is None else self.phase + math.floor((at - self.phase) / self.length) * self.length
            first = not self.windows
            self.windows.append(Window(begin, begin + self.length, self.quota, other=self.spent if first else 0))
        return self.windows[-1]

    # The verdict -----------------------------------------------------------------------------------------------------

    @property
    def whole(self) -> list[Window]:
        """The windows between the first and the last, which alone are whole."""
        return self.windows[1:-1]

    def used(self) -> float:
        """Share of the quota that was spent, by anyone, from the first whole window's begin to the last one's end."""
        span = self.windows[-1].begin - self.windows[1].begin
        return sum(w.taken for w in self.whole) / (
            sum(w.quota for w in self.whole) / len(self.whole) * span / self.length
        )

    def used_by_us(self) -> float:
        """Share of the quota that the run itself spent in whole windows."""
        return sum(w.own for w in self.whole) / sum(w.quota for w in self.whole)

    def throttled(self) -> int:
        """429s that the run drew."""
        return sum(w.own_rejected for w in self.windows)

    def others_rejected(self) -> float:
        """Share of the other app's calls that were rejected."""
        total = sum(w.other + w.other_rejected for w in self.windows)
        return sum(w.other_rejected for w in self.windows) / total if total else 0.0


@dataclass
class OpenStore:
    """A store without quota or headers that serves `slots` calls at once, `work` seconds each; the rest wait in line.

    `limit` is where it answers 503 (or `status`) instead: so many calls at once are too many.
    """

    slots: int = 20
    work: float = 0.2
    limit: float = math.inf
    status: int = 503
    seed: int = 1
    calls: int = 0
    refused: int = 0
    inside: int = 0
    most_inside: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._served = anyio.Semaphore(self.slots)

    async def __call__(self, request: Request) -> Response:
        self.calls += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.inside > self.limit:
                self.refused += 1
                await anyio.sleep(0.01)
                return Response(self.status, {}, b"")
            async with self._served:
                await anyio.sleep(self.work * self.chance.uniform(0.7, 1.3))
            return Response(200, {}, b"[]")
        finally:
            self.inside -= 1
