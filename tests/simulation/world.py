"""One seed's world: shop, line, platters and clock, and the nights in it. Runs the engine as shipped; judges nothing."""

from __future__ import annotations

import asyncio
import random
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

import engine
from engine.core.errors import FerryError
from engine.options import Seams
from jobs.sandbox.api import Api
from jobs.sandbox.catalogue import Catalogue
from jobs.sandbox.conduct import Conductor
from jobs.sandbox.faults import Script
from jobs.sandbox.picture import made_up
from jobs.sandbox.shop import Draft, Picture

from .crowd import Crowd
from .disk import SimDisk
from .draw import Night, Scenario, draw
from .history import WatchedShop
from .intents import Intents
from .network import Line, SimWire
from .platters import Platters
from .manifests import DEAD
from .process import Crashed, Process, SimLoop
from .troubles import LATEST_COMMIT, Doom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.core.report import Report
    from jobs.sandbox.fields import Source

ACCESS = engine.Access("sim", "sim", "http://127.0.0.1:1")
MOST_PROCESSES = 12
QUIET_FROM = 8
"""After so many starts of one command nothing more goes wrong in the network."""
PICTURE = made_up("simulation")
PATIENCE = 6 * 3600.0
"""A process that is not over after so many virtual seconds hangs."""


@dataclass
class Start:
    """One start of the command in a night and how it ended: a report, an error, or a crash (`doom`)."""

    number: int
    night: int
    began: float
    ended: float = 0.0
    report: Report | None = None
    error: BaseException | None = None
    proposal: Any = None
    goes_on: bool = False
    half_listed: bool = False
    power: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """What the process says that it sent, for its plan, where it made one, and for its run."""
        planned = self.proposal.report if self.proposal is not None else None
        return sum(report.requests for report in (planned, self.report if self.report is not planned else None) if report)

    @property
    def ending(self) -> str:
        if self.report is not None:
            return self.report.outcome
        return type(self.error).__name__


@dataclass
class World:
    """All that there is, and all that happened in it."""

    scenario: Scenario
    folder: Path
    loop: SimLoop
    starts: list[Start] = field(default_factory=list)
    night_began: list[float] = field(default_factory=list)
    journals: list[tuple[str, bytes]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = self.scenario.config
        self.outside = copy_context()
        self.shop = WatchedShop(self.config, Catalogue(), self.loop.time)
        self.platters = Platters(random.Random(f"platters {self.scenario.seed}"))
        self.conductor = Conductor(Api(self.config, self.shop, "http://sim"), self._fetch, self.loop.wall)
        self.line = Line(self.conductor, "sim", self.outside)
        self.manifest = self.folder / "m.jsonl"
        self.checkpoint = self.folder / "m.jsonl.checkpoint.json"
        self.journal = self.folder / "m.jsonl.checkpoint.json.journal"
        self.plan = self.folder / "m.jsonl.checkpoint.json.plan"
        self.intents = Intents(self.platters, self.journal, self.complaints)
        self.line.watch = self._watch
        self.planned = False
        self._fill()

    async def _fetch(self, source: Source) -> Picture | None:
        return None if DEAD in source.text else Picture("made:x", "jpg")

    def _fill(self) -> None:
        for number, images in self.scenario.galleries.items():
            self.shop.catalogue.add(number)
            for image in images:
                draft = Draft(image["label"], Picture("made:x", "jpg"), False, image["description"], image["sort_order"])
                self.shop.create(number, draft, self.loop.wall() - 1000.0)
            self.shop.catalogue.open(number).past = None

    def _watch(self, sent: Any) -> None:
        sent.gallery = self.shop.gallery(sent.product)
        if sent.writes:
            self.intents.check(sent, self.scenario.nights[sent.night].rows)

    async def live(self) -> None:
        """All nights, one after another."""
        for number, night in enumerate(self.scenario.nights):
            await asyncio.sleep(night.pause + LATEST_COMMIT + 5.0 + self.config.list_lag)
            await self._spend(number, night)

    async def _spend(self, number: int, night: Night) -> None:
        began = self.loop.time()
        self.night_began.append(began)
        self.line.night, self.planned = number, False
        self.manifest.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in night.rows))
        for row in night.rows:
            for image in row["images"]:
                if image["image_file"].startswith("local-"):
                    (self.folder / image["image_file"]).write_bytes(PICTURE)
        self.conductor.script = Script(night.faults, self.scenario.seed)
        self.line.down = [(began + since, began + until) for since, until in night.down]
        crowd = Crowd(self.shop, self.loop, random.Random(f"crowd {self.scenario.seed}"))
        crowd.let_in(night, self.config)
        for attempt in range(night.most or MOST_PROCESSES):
            if attempt >= QUIET_FROM:
                self.conductor.script = Script()
            doom = night.dooms[attempt] if attempt < len(night.dooms) else Doom()
            start = await self._start(number, night, doom)
            if start.ending not in {"Crashed", "interrupted", "DiskError", "UnreachableError"} and not (
                (start.goes_on or start.half_listed) and not night.noisy
            ):
                break
            await asyncio.sleep(doom.pause)
        crowd.send_home()

    async def _start(self, number: int, night: Night, doom: Doom) -> Start:
        process = Process(self.loop, len(self.starts) + 1)
        start = Start(process.number, number, self.loop.time())
        self.starts.append(start)
        start.goes_on, start.half_listed = self._unfinished(), self._half_listed()
        disk, wire, stop = SimDisk(self.platters, process), SimWire(self.line, process), engine.Stop()
        self._prepare(process, doom, disk, wire, stop)
        seams = Seams(
            wire=wire.open,
            disk=disk,
            now=self.loop.wall,
            chance=random.Random(f"engine {self.scenario.seed} {process.number}"),
        )
        self.loop.living = process
        process.start(self._program(start, night, seams, stop))
        watchdog = self.loop.call_later(PATIENCE, process.die)
        try:
            await process.ended
        except Crashed as crash:
            start.error = crash
            start.power = doom.power
            if doom.power:
                self.platters.lose_power()
        except BaseException as error:
            start.error = error
        if self.loop.time() - start.began >= PATIENCE:
            start.error = TimeoutError("the process was still not over after six hours")
        watchdog.cancel()
        self.loop.living = None
        start.ended = self.loop.time()
        self.shop.on_change = lambda: None
        self._keep_journal(start)
        return start

    def _prepare(self, process: Process, doom: Doom, disk: SimDisk, wire: SimWire, stop: engine.Stop) -> None:
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
            process.at_turn[at] = lambda: self.loop.call_soon(stop.ask, context=process.context) and None

    async def _program(self, start: Start, night: Night, seams: Seams, stop: engine.Stop) -> None:
        """What the person types."""
        options = self._options()
        try:
            if night.mode == "sync":
                start.report = await engine.sync(ACCESS, self.manifest, options, stop=stop, seams=seams)
            elif night.mode == "migrate":
                start.report = await engine.migrate(ACCESS, self.manifest, options, stop=stop, seams=seams)
            else:
                start.report = await self._plan_and_apply(start, night, options, seams, stop)
        except FerryError as error:
            start.error = error
            raise

    async def _plan_and_apply(self, start: Start, night: Night, options: Any, seams: Seams, stop: Any) -> Report:
        if not self.planned:
            proposal = await engine.plan(
                ACCESS, self.manifest, options, delete=night.mode == "apply", stop=stop, seams=seams
            )
            start.proposal = proposal
            if proposal.plan is None:
                return proposal.report
            self.planned = True
        return await engine.apply(ACCESS, self.folder / "m.jsonl.plan", options, stop=stop, seams=seams)

    def _options(self) -> engine.Options:
        settings = self.scenario.settings
        return engine.Options(
            settle=settings["settle"],
            give_up_after=settings["give_up_after"],
            stall_after=settings["stall_after"],
            concurrency=settings["concurrency"],
            rate=settings["rate"],
            max_deletes=engine.MaxDeletes.parse(settings["max_deletes"]),
            allow_shrink=settings["allow"],
            allow_missing=settings["allow"],
        )

    def _unfinished(self) -> bool:
        """Whether a run is under way on the disk: a journal whose run the checkpoint doesn't know as over."""
        journal, checkpoint = (self._run_of(path) for path in (self.journal, self.checkpoint))
        return journal is not None and journal != checkpoint

    def _half_listed(self) -> bool:
        """Whether an interrupted listing lies there that the next run may go on with: what changed since, it won't see."""
        inode = self.platters.names.get(self.plan)
        return inode is not None and b'"summary"' not in inode.data

    def _run_of(self, path: Path) -> str | None:
        inode = self.platters.names.get(path)
        first = bytes(inode.data).partition(b"\n")[0] if inode is not None else b""
        return orjson.loads(first)["run"] if first.endswith(b"}") else None

    def _keep_journal(self, start: Start) -> None:
        inode = self.platters.names.get(self.journal)
        self.journals.append((f"after process {start.number}", bytes(inode.data) if inode is not None else b""))

    def platters_removed(self) -> list[tuple[str, bytes]]:
        """The journals of runs that were over."""
        gone = [data for path, data in self.platters.removed if path == self.journal]
        return [(f"{number} of those that were over", data) for number, data in enumerate(gone, 1)]


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
    with _loop() as loop:
        world = World(draw(seed), folder, loop)
        loop.run_until_complete(world.live())
        return world
