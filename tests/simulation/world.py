"""One seed's world: shop, line, platters and clock, and the nights in it. Runs the engine as shipped; judges nothing."""

from __future__ import annotations

import asyncio
import random
import shutil
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING

from imageferry.jobs.sandbox.api.v2 import Api
from imageferry.jobs.sandbox.faults import Script
from imageferry.jobs.sandbox.shop.catalog import Catalogue
from imageferry.jobs.sandbox.shop.rules import Draft, Picture
from imageferry.jobs.sandbox.traffic.pipeline import RequestPipeline
from imageferry.progress import Stop
from imageferry.runs.context import Ports

from .backups import SimFetch, harm
from .crowd import Crowd
from .disk import SimDisk
from .draw import Night, Scenario, draw
from .history import WatchedShop
from .intents import Intents
from .manifests import DEAD
from .network import Line, SimWire
from .onlooker import Onlooker
from .papers import Papers
from .platters import Platters
from .process import Crashed, Process, SimLoop
from .program import Program, Start
from .troubles import LATEST_COMMIT, Doom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imageferry.jobs.sandbox.api.validation import Source

    from .history import Sent

MOST_PROCESSES = 12
QUIET_FROM = 8
"""After so many starts of one command nothing more goes wrong in the network."""
PATIENCE = 6 * 3600.0
"""A process that is not over after so many virtual seconds hangs."""
AN_HOUR = 3700.0
_BROKEN_OFF = frozenset({"Crashed", "interrupted", "DiskError", "UnreachableError"})
_MADE_UP = Picture("made:x", "jpg")


class World:
    """All that there is, and all that happened in it."""

    def __init__(self, scenario: Scenario, folder: Path, loop: SimLoop) -> None:
        self.scenario, self.config, self.loop = scenario, scenario.config, loop
        self.starts: list[Start] = []
        self.night_began: list[float] = []
        self.complaints: list[str] = []
        self.platters = Platters(random.Random(f"platters {scenario.seed}"))
        self.papers = Papers(self.platters, folder)
        self.shop = WatchedShop(self.config, Catalogue(), loop.time)
        self.conductor = RequestPipeline(Api(self.config, self.shop, "http://sim"), _fetch, loop.wall)
        self.line = Line(self.conductor, "sim", copy_context())
        self.line.watch = self._watch
        self._intents = Intents(self.platters, self.papers.journal, self.complaints)
        self.onlooker = Onlooker(scenario.seed, self.papers.checkpoint, self.platters)
        self._program = Program(folder, scenario.seed, scenario.settings)
        self._kept = folder / "kept"
        if any(night.undo is not None for night in scenario.nights):
            shutil.rmtree(self._kept, ignore_errors=True)
            self.platters.shown = self._kept
        self._fill()

    def _fill(self) -> None:
        for number, images in self.scenario.galleries.items():
            self.shop.catalogue.add(number)
            for image in images:
                draft = Draft(
                    image["label"], _MADE_UP, description=image["description"], sort_order=image["sort_order"]
                )
                self.shop.create(number, draft, self.loop.wall() - 1000.0)
            self.shop.catalogue.open(number).past = None

    def _watch(self, sent: Sent) -> None:
        sent.gallery = self.shop.gallery(sent.product)
        if sent.writes and self.scenario.nights[sent.night].undo is None:
            self._intents.check(sent, self.scenario.nights[sent.night].rows)

    async def live(self) -> None:
        """All nights, one after another; before each, what was late has landed."""
        for number, night in enumerate(self.scenario.nights):
            crowd = Crowd(self.shop, self.loop, random.Random(f"crowd {self.scenario.seed}"))
            if not night.at_once:
                await asyncio.sleep(1.0)
                crowd.ravage(night)
                await asyncio.sleep(night.pause + LATEST_COMMIT + 5.0 + self.config.list_lag)
            await self._spend(number, night, crowd)

    async def _spend(self, number: int, night: Night, crowd: Crowd) -> None:
        began = self.loop.time()
        self.night_began.append(began)
        if night.forgets:
            self.platters.lose_all()
        self._program.prepare(night)
        if night.undo is not None:
            harm(self.platters, self._kept, night.undo.harm, self.scenario.seed)
        self.conductor.script = Script(night.faults, self.scenario.seed)
        self.line.night = number
        self.line.down = [(began + since, began + until) for since, until in night.down]
        crowd.let_in(night, self.config)
        for attempt in range(night.most or MOST_PROCESSES):
            if attempt >= QUIET_FROM:
                self.conductor.script = Script()
            doom = night.dooms[attempt] if attempt < len(night.dooms) else Doom()
            start = await self._start(number, night, doom)
            again = start.ending in _BROKEN_OFF or (not night.noisy and _was_late(start))
            if not again:
                break
            # A run that is given again for what failed lists no more than that, for an hour.
            await asyncio.sleep(max(doom.pause, AN_HOUR) if start.retries and not night.noisy else doom.pause)
        crowd.send_home()

    async def _start(self, number: int, night: Night, doom: Doom) -> Start:
        process = Process(self.loop, len(self.starts) + 1)
        start = Start(process.number, number, self.loop.time())
        start.goes_on, start.half_listed = self.papers.unfinished(), self.papers.half_listed()
        start.run_before = self.papers.run()
        others = any(former.deeds or former.vandals for former in self.scenario.nights)
        start.retries = others and self.papers.to_retry(self.loop.wall())
        self.starts.append(start)
        stop, seams = self._seams(process, doom)
        if night.nap is not None:
            at, seconds = night.nap
            process.at_turn.setdefault(at, lambda: self._stand_still(process, start, seconds))
        self.loop.living = process
        watchdog = self.loop.call_later(PATIENCE, process.die)
        process.start(self._program.run(start, night, seams, stop))
        start.error = await process.over()
        watchdog.cancel()
        start.ended = self.loop.time()
        if start.ended - start.began >= PATIENCE:
            start.error = TimeoutError("the process was still not over after six hours")
        elif isinstance(start.error, Crashed) and doom.power:
            start.power = True
            self.platters.lose_power()
        self.loop.living, self.shop.on_change = None, _nothing
        self.papers.keep_journal(process.number)
        self.onlooker.look(self.loop)
        start.run_after, start.undone = self.papers.run(), self.papers.undone()
        return start

    def _stand_still(self, process: Process, start: Start, seconds: float) -> None:
        """SIGSTOP, and SIGCONT later: the world goes on meanwhile."""
        start.nap = (self.loop.time(), self.loop.time() + seconds)
        self.loop.suspend(process, seconds)

    def _seams(self, process: Process, doom: Doom) -> tuple[Stop, Ports]:
        """Return the environment of one process, and its end."""
        disk, wire, stop = SimDisk(self.platters, process), SimWire(self.line, process), Stop()
        if doom.way == "turn":
            process.at_turn[doom.at] = process.die
        elif doom.way == "disk":
            disk.crash_at = (doom.at, process.die)
        elif doom.way == "wire":
            wire.crash_at = (doom.at, process.die)
        elif doom.way == "commit":
            self.shop.on_change = _countdown(doom.at, process.die)
        disk.fail_at = doom.disk
        for at in doom.stops:
            process.at_turn[at] = lambda: process.tell(stop.request)
        self.onlooker.come(process, self.loop)
        chance = random.Random(f"engine {self.scenario.seed} {process.number}")
        fetch = SimFetch(self.line, process)
        return stop, Ports(transport=wire.open, fetch=fetch.open, disk=disk, now=self.loop.wall, random=chance)


def _was_late(start: Start) -> bool:
    """Return True if it went on with what an earlier process had begun, and so may have missed what changed since."""
    return start.ending in {"done", "failed"} and (start.goes_on or start.half_listed or start.retries)


async def _fetch(source: Source) -> Picture | None:
    """The shop's fetcher: there is a picture behind every address but those of the dead."""
    return None if DEAD in source.text else _MADE_UP


def _nothing() -> None:
    """Nobody waits for changes."""


def _countdown(count: int, act: Callable[[], None]) -> Callable[[], None]:
    left = [count]

    def tick() -> None:
        left[0] -= 1
        if left[0] == 0:
            act()

    return tick


@contextmanager
def _loop() -> Iterator[SimLoop]:
    loop = SimLoop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def simulate(seed: int, folder: Path) -> World:
    """Live through a seed's story and return all that happened."""
    return live(draw(seed), folder)


def live(scenario: Scenario, folder: Path) -> World:
    """Live through a story and return all that happened."""
    with _loop() as loop:
        world = World(scenario, folder, loop)
        loop.run_until_complete(world.live())
        return world
