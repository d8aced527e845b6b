"""What a person sees while a run works: a live display on a terminal, plain lines now and then without one, or nothing.

Reads the engine's `Progress` and changes nothing; rich is loaded for a terminal only.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import anyio

from .console import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    import imageferry

    from .console import Console

LINE_EVERY = 20.0
"""Seconds between plain lines: a nightly job's log should stay readable."""
_LOOK_EVERY = 0.25
_QUIET_PHASES = frozenset({"starting", "connecting", "checking the manifest"})


class Display(Protocol):
    """Where a run's sentences and counters go."""

    def say(self, sentence: str) -> None:
        """Show a sentence that must be read at once."""

    async def follow(self, progress: imageferry.Progress) -> None:
        """Show the counters until cancelled."""


class Silent:
    """-q: no counters; a sentence is only said where something is the matter, and that is shown all the same."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, sentence: str) -> None:
        """Write it."""
        self._console.err([sentence])

    async def follow(self, progress: imageferry.Progress) -> None:
        """Show nothing."""


class Lines:
    """A line when a phase begins, and one now and then."""

    def __init__(
        self, console: Console, *, every: float = LINE_EVERY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._every = every
        self._clock = clock
        self._pace = Pace(clock)
        self._next = clock() + every
        self._phase = ""

    def say(self, sentence: str) -> None:
        """Write it."""
        self._console.err([sentence])

    async def follow(self, progress: imageferry.Progress) -> None:
        """Look often, write seldom."""
        while True:
            self.look(progress)
            await anyio.sleep(_LOOK_EVERY)

    def look(self, progress: imageferry.Progress) -> None:
        """Write a line if one is due."""
        now = progress.snapshot()
        self._pace.see(now.phase, *_done(now))
        begun = now.phase != self._phase and now.phase not in _QUIET_PHASES
        self._phase = now.phase
        if begun or self._clock() >= self._next:
            self._next = self._clock() + self._every
            self._console.err(
                [": ".join(filter(None, (now.phase, ", ".join([*counters(now, self._pace), *calls(now.traffic)]))))]
            )


class Live:
    """A few lines in place at the bottom of a terminal; sentences scroll by above them."""

    def __init__(self, console: Console) -> None:
        from rich.console import Console as Screen  # noqa: PLC0415  # 57 ms that only a terminal pays for

        self._console = console
        self._screen = Screen(stderr=True)
        self._pace = Pace(time.monotonic)

    def say(self, sentence: str) -> None:
        """Write it above the display."""
        with suppress(OSError):
            self._screen.print(plain(sentence), markup=False, highlight=False, soft_wrap=True)

    async def follow(self, progress: imageferry.Progress) -> None:
        """Draw anew some times a second; a terminal that goes away takes the display with it, not the run."""
        if self._screen.is_dumb_terminal:
            await Lines(self._console).follow(progress)
        with suppress(OSError):
            await self._draw(progress)

    async def _draw(self, progress: imageferry.Progress) -> None:
        """The last picture is wiped, since the report follows."""
        from rich.live import Live as Region  # noqa: PLC0415  # as above

        with Region(console=self._screen, auto_refresh=False, transient=True, redirect_stdout=False) as region:
            while True:
                region.update(self._drawn(progress), refresh=True)
                await anyio.sleep(_LOOK_EVERY)

    def _drawn(self, progress: imageferry.Progress) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415  # as above
        from rich.padding import Padding  # noqa: PLC0415  # as above
        from rich.progress_bar import ProgressBar  # noqa: PLC0415  # as above
        from rich.text import Text  # noqa: PLC0415  # as above

        now = progress.snapshot()
        done, total = _done(now)
        self._pace.see(now.phase, done, total)
        texts = (", ".join(counters(now, self._pace)), ", ".join(calls(now.traffic)))
        head = Text(now.phase, style="bold", no_wrap=True, overflow="ellipsis")
        rest = [Text(f"  {text}", no_wrap=True, overflow="ellipsis") for text in texts if text]
        bar = Padding(ProgressBar(total=total, completed=done, width=min(48, self._screen.width - 4)), (0, 2))
        return Group(head, *([bar] if total else []), *rest)


class Pace:
    """How fast a phase moves, and so when it may be over."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._phase = ""
        self._began = 0.0
        self._first = self._done = 0
        self._total: int | None = None

    def see(self, phase: str, done: int, total: int | None) -> None:
        """Take a look; a new phase begins with its first."""
        if phase != self._phase:
            self._phase, self._began, self._first = phase, self._clock(), done
        self._done, self._total = done, total

    def seconds_left(self) -> float | None:
        """Seconds until the phase is over if it goes on like this; None where that can't be told yet."""
        moved, taken = self._done - self._first, self._clock() - self._began
        if not self._total or moved < 1 or taken < 3:
            return None
        return max(0, self._total - self._done) * taken / moved


def counters(now: imageferry.progress.Snapshot, pace: Pace) -> list[str]:
    """How far the work is, in words: only what says something."""
    said = [_of(now.products_done, now.products, "products")] if now.products_done or now.products else []
    if now.images is not None:
        said.append(_of(now.images_done, now.images, "images"))
    if now.failures:
        said.append(f"{now.failures:,} failed")
    left = pace.seconds_left()
    if left:
        said.append(f"about {duration(left)} left")
    return said


def calls(traffic: imageferry.core.quota.stats.Traffic | None) -> list[str]:
    """How the calls go: their pace, the quota, and what is waited for."""
    if traffic is None:
        return []
    said = [f"{traffic.rate:.1f} calls/s"]
    if traffic.quota is not None and traffic.left is not None:
        reset = "" if traffic.resets_in is None else f", reset in {duration(max(0.0, traffic.resets_in))}"
        said.append(f"quota {traffic.left:,} of {traffic.quota:,} left{reset}")
    if traffic.waiting_for and traffic.rate < 1:
        said.append(traffic.waiting_for)
    return said


def _done(now: imageferry.progress.Snapshot) -> tuple[int, int | None]:
    """What the phase is measured by: images where it knows them, else products."""
    return (now.images_done, now.images) if now.images else (now.products_done, now.products)


def _of(done: int, total: int | None, what: str) -> str:
    return f"{done:,} {what}" if total is None else f"{done:,} of {total:,} {what}"


def duration(seconds: float) -> str:
    """A span of time as a person says it: `8 s`, `12 min`, `3 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds < 9.95 else "10 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
