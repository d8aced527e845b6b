"""Somebody who only looks at a checkpoint while its run is at work, and after each of its ends: drawn from a seed, in a fifth of them.

Who looks holds no lock, changes nothing that outlives him, and is never told that another run is at work, or that what a run
can go on with is damaged.
"""

from __future__ import annotations

from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

from imageferry.core.errors import FerryError
from imageferry.disk.checkpoint.identities import learned_identities
from imageferry.disk.plan_file import PlanFile
from imageferry.options import Options
from imageferry.progress import Progress, Stop
from imageferry.runs.context import Ports, RunContext
from imageferry.runs.opening import load_without_lock

from .disk import SimDisk
from .platters import Platters
from .process import Process
from .program import ACCESS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .evidence import Evidence
    from .process import SimLoop

SHARE = 0.2
_LATEST_TURN = 600


class Onlooker:
    """Looks now and then; `complaints` grows by what is wrong with what he sees."""

    def __init__(self, seed: int, checkpoint: Path, platters: Platters) -> None:
        chance = Random(f"imageferry {seed} onlooker")
        self._chance = chance if chance.random() < SHARE else None
        self._checkpoint = checkpoint
        self._platters = platters
        self.complaints: list[str] = []
        self.looks = 0

    def come(self, process: Process, loop: SimLoop) -> None:
        """Look at the checkpoint at one of the process's turns."""
        if self._chance is not None:
            turn = 1 + int(_LATEST_TURN ** self._chance.random())
            process.at_turn.setdefault(turn, lambda: self.look(loop))

    def look(self, loop: SimLoop) -> None:
        """Read all that the run remembers, as `verify` does."""
        if self._chance is None:
            return
        self.looks += 1
        view = Platters(Random("onlooker"))  # what he writes is his alone, and not a story's
        view.names, view.locked = dict(self._platters.names), dict(self._platters.locked)
        seen = self._beside(view)
        try:
            self._read(SimDisk(view, Process(loop, 0)), loop)
        except FerryError as error:
            self.complaints.append(f"who only looked was refused: {type(error).__name__}: {error}")
        if self._beside(view) != seen:
            self.complaints.append("who only looked changed what lies there")

    def _beside(self, view: Platters) -> dict[Path, bytes]:
        folder = self._checkpoint.parent
        return {path: bytes(inode.data) for path, inode in view.names.items() if path.parent == folder}

    def _read(self, disk: SimDisk, loop: SimLoop) -> None:
        job = RunContext("verify", ACCESS, Options(), Progress(), Stop(), Ports(disk=disk, now=loop.wall))
        with ExitStack() as opened:
            checkpoint = load_without_lock(job, opened, self._checkpoint)
            unfinished = checkpoint.open_run
            if unfinished is None:
                list(checkpoint.identities())
                return
            plan = PlanFile(disk, checkpoint.paths.plan)
            list(checkpoint.identities(learned_identities(disk, checkpoint.paths.journal, plan, unfinished.ledger)))


def onlookers(case: Evidence) -> Iterator[tuple[int, str, str]]:
    """Reading a checkpoint at any moment succeeds and changes nothing."""
    for complaint in case.world.onlooker.complaints:
        yield 0, "", complaint
