"""The program as a person starts it: which verb, with which options, and how that start ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

import imageferry

from . import local_pictures, undo_nights
from .backups import INDEX

if TYPE_CHECKING:
    from pathlib import Path

    from imageferry.core.results import Report
    from imageferry.runs.context import Ports

    from .draw import Night

ACCESS = imageferry.Access("sim", "sim", "http://127.0.0.1:1")


@dataclass
class Start:
    """One start of the command in a night and how it ended: a report, an error, or a crash.

    `goes_on`: an unfinished run's journal lay there; `run_before`, `run_after`: whose journal it was, at begin and end;
    `half_listed`: an interrupted listing lay there; `retries`: the run before had left failures, and others were about;
    `power`: it went with the power; `undone`: its run's checkpoint knew at its end that an undo had taken it back.
    """

    number: int
    night: int
    began: float
    ended: float = 0.0
    report: Report | None = None
    error: BaseException | None = None
    proposal: imageferry.Proposal | None = None
    goes_on: bool = False
    run_before: str | None = None
    run_after: str | None = None
    half_listed: bool = False
    retries: bool = False
    power: bool = False
    undone: bool = False
    nap: tuple[float, float] | None = None

    @property
    def requests(self) -> int:
        """The requests that the process reports for its plan, if any, and for its run."""
        planned = self.proposal.report if self.proposal is not None else None
        carried = self.report if self.report is not planned else None
        return sum(report.requests for report in (planned, carried) if report is not None)

    @property
    def ending(self) -> str:
        if self.report is not None:
            return self.report.outcome
        return type(self.error).__name__


class Program:
    """Commands of a person, run after run."""

    def __init__(self, folder: Path, seed: int, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.seed = seed
        self.manifest = folder / "m.jsonl"
        self.settings = settings
        self._planned = False

    def prepare(self, night: Night) -> None:
        """Write the night's manifest and put the local pictures beside it."""
        self._planned = False
        self.manifest.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in night.rows))
        for image in (image for row in night.rows for image in row["images"]):
            name = image["image_file"]
            if local_pictures.is_local(name):
                (self.folder / name).write_bytes(local_pictures.picture(self.seed, name))

    async def run(self, start: Start, night: Night, seams: Ports, stop: imageferry.Stop) -> None:
        """One process, from its first line to its last."""
        kept = self.folder / "kept"
        options = self._options(undo_nights.options_of(night, kept, there=bool(seams.disk.size(kept / INDEX))))
        if night.mode == "undo":
            checkpoint = self.folder / "m.jsonl.checkpoint.json"
            start.report = await imageferry.undo(ACCESS, checkpoint, options, approve=_agreed, stop=stop, seams=seams)
        elif night.mode == "sync":
            start.report = await imageferry.sync(ACCESS, self.manifest, options, stop=stop, seams=seams)
        elif night.mode == "migrate":
            start.report = await imageferry.migrate(ACCESS, self.manifest, options, stop=stop, seams=seams)
        else:
            start.report = await self._plan_and_apply(start, night, options, seams, stop)

    async def _plan_and_apply(
        self, start: Start, night: Night, options: imageferry.Options, seams: Ports, stop: imageferry.Stop
    ) -> Report:
        """Plan until there is a plan, then apply that one until it is carried out."""
        if not self._planned:
            start.proposal = await imageferry.plan(
                ACCESS, self.manifest, options, delete=night.deletes, stop=stop, seams=seams
            )
            if start.proposal.plan is None:
                return start.proposal.report
            self._planned = True
        return await imageferry.apply(ACCESS, self.folder / "m.jsonl.plan", options, stop=stop, seams=seams)

    def _options(self, more: dict[str, Any]) -> imageferry.Options:
        settings = self.settings
        return imageferry.Options(
            settle=settings["settle"],
            give_up_after=settings["give_up_after"],
            stall_after=settings["stall_after"],
            concurrency=settings["concurrency"],
            rate=settings["rate"],
            max_deletes=imageferry.MaxDeletes.parse(settings["max_deletes"]),
            allow_shrink=settings["allow"],
            allow_missing=settings["allow"],
            **more,
        )


async def _agreed(_: imageferry.Proposal) -> bool:
    """The person has read the plan."""
    return True
