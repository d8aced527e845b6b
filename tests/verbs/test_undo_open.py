"""While an undo is open, nothing else writes by its checkpoint: it is named, with what to do; and nobody is locked out for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

import imageferry
from imageferry.core import errors
from imageferry.disk.filesystem import LocalDisk, disk_error
from imageferry.jobs.sandbox import Config, running
from imageferry.runs.context import Ports

from ..market import control, lines, log, state, writes
from .test_undo import FRESH, OPEN, access, described, look, no, options, until, yes
from .test_undo_losses import renewed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from imageferry.jobs.sandbox import Sandbox

    Verb = Callable[[Sandbox, Path, imageferry.Options], Awaitable[imageferry.Report]]

SIX = {"products": 6, "images": 2, "quota": None, "fetch": False, "latency": 0.02}


async def broken_off(sandbox: Sandbox, folder: Path, asked: imageferry.Options, calls: int = 6) -> None:
    """An undo of the run of m.jsonl that is stopped after so many writes."""
    stop, before = imageferry.Stop(), sum(entry.method != "GET" for entry in sandbox.log)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(until, sandbox, before + calls, stop)
        await undone(sandbox, folder, asked, stop=stop)


async def undone(sandbox: Sandbox, folder: Path, asked: imageferry.Options, **more: Any) -> imageferry.Report:
    return await imageferry.undo(access(sandbox), folder / "m.jsonl.checkpoint.json", asked, approve=yes, **more)


async def sync(sandbox: Sandbox, folder: Path, asked: imageferry.Options) -> imageferry.Report:
    return await imageferry.sync(access(sandbox), folder / "m.jsonl", asked)


async def migrate(sandbox: Sandbox, folder: Path, asked: imageferry.Options) -> imageferry.Report:
    return await imageferry.migrate(access(sandbox), folder / "m.jsonl", asked)


async def apply(sandbox: Sandbox, folder: Path, asked: imageferry.Options) -> imageferry.Report:
    proposal = await imageferry.plan(access(sandbox), folder / "m.jsonl", asked)
    return await imageferry.apply(access(sandbox), str(proposal.plan), asked)


async def half_undone(sandbox: Sandbox, folder: Path) -> imageferry.Options:
    """A run that replaced all images, and an undo of it that got half-way; the options of both."""
    asked = options(folder, sandbox, concurrency=1)
    assert (await imageferry.sync(access(sandbox), renewed(folder, 6), asked)).outcome == "done"
    await broken_off(sandbox, folder, asked)
    return asked


@pytest.mark.parametrize("verb", [sync, migrate, apply], ids=lambda verb: verb.__name__)
async def test_what_writes_is_refused_while_an_undo_is_open_and_the_undo_can_be_finished(
    tmp_path: Path, verb: Verb
) -> None:
    """Exit 3 with the undo's name and what to do, and no write; then the undo gives all back, and the run is free again."""
    async with running(Config(**SIX)) as sandbox:
        former = await state(sandbox.url, digests=True)
        asked = await half_undone(sandbox, tmp_path)
        sent = len(writes(await log(sandbox.url)))
        for _ in range(2):
            with pytest.raises(errors.UnsafePlanError, match=r"imageferry undo .*m\.jsonl\.checkpoint\.json.*--fresh"):
                await verb(sandbox, tmp_path, asked)
        assert len(writes(await log(sandbox.url))) == sent
        assert (await undone(sandbox, tmp_path, asked)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(former)
        assert (await verb(sandbox, tmp_path, asked)).outcome == "done"


async def test_an_undo_that_the_store_broke_off_is_open_as_well(tmp_path: Path) -> None:
    """Exit 5 half-way: the token was taken away, and the nightly sync must not go over it the next day."""
    async with running(Config(**SIX)) as sandbox:
        asked = options(tmp_path, sandbox, concurrency=1)
        former = await state(sandbox.url, digests=True)
        await sync(sandbox, renewed(tmp_path, 6).parent, asked)
        await control(sandbox.url, "faults", [{"kind": "throttled", "status": 401, "methods": ["DELETE"], "after": 2}])
        with pytest.raises(errors.ForbiddenError):
            await undone(sandbox, tmp_path, asked)
        await control(sandbox.url, "faults", [])
        with pytest.raises(errors.UnsafePlanError, match="imageferry undo"):
            await sync(sandbox, tmp_path, asked)
        assert (await undone(sandbox, tmp_path, asked)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(former)


async def test_what_only_looks_works_while_an_undo_is_open(tmp_path: Path) -> None:
    """Plan, review, verify and a dry undo as ever; `status` names the undo."""
    async with running(Config(**SIX)) as sandbox:
        asked = await half_undone(sandbox, tmp_path)
        manifest, checkpoint = tmp_path / "m.jsonl", tmp_path / "m.jsonl.checkpoint.json"
        sent = len(writes(await log(sandbox.url)))
        proposal = await imageferry.plan(access(sandbox), manifest, asked)
        assert (proposal.refusal, proposal.summary.creates > 0) == (None, True)
        assert (await imageferry.review(access(sandbox), str(proposal.plan), asked)).summary.creates > 0
        assert (await imageferry.verify(access(sandbox), manifest, asked)).outcome == "failed"
        with pytest.raises(errors.UnsafePlanError, match="not approved"):
            await imageferry.undo(access(sandbox), checkpoint, asked, approve=no)
        standing = imageferry.status(checkpoint)
        assert (standing.state, standing.run) == ("finished", "sync")
        assert any(f"imageferry undo {checkpoint}" in note for note in standing.report.notes)
        assert len(writes(await log(sandbox.url))) == sent


@pytest.mark.parametrize("when", ["while it asked", "before its first write"])
async def test_an_undo_that_wrote_nothing_locks_nobody_out(tmp_path: Path, when: str) -> None:
    """Refused at the question, or broken off with its journal begun: the same sync goes on as ever."""
    async with running(Config(**SIX)) as sandbox:
        asked = options(tmp_path, sandbox)
        await sync(sandbox, renewed(tmp_path, 6).parent, asked)
        if when == "while it asked":
            with pytest.raises(errors.UnsafePlanError):
                await imageferry.undo(access(sandbox), tmp_path / "m.jsonl.checkpoint.json", asked, approve=no)
        else:
            stop = imageferry.Stop()

            async def agreed(_: imageferry.Proposal) -> bool:
                stop.stop("told to")
                return True

            await imageferry.undo(
                access(sandbox), tmp_path / "m.jsonl.checkpoint.json", asked, approve=agreed, stop=stop
            )
            assert (tmp_path / "m.jsonl.checkpoint.json.undo.json.journal").exists()
        report = await sync(sandbox, tmp_path, asked)
        assert (report.outcome, report.created) == ("done", 0)


async def test_an_undo_can_be_given_up_once_and_for_all(tmp_path: Path) -> None:
    """--fresh: the run goes over it, and the next night needs no flag."""
    async with running(Config(**SIX)) as sandbox:
        asked = await half_undone(sandbox, tmp_path)
        assert (await sync(sandbox, tmp_path, FRESH)).outcome == "done"
        again = await sync(sandbox, tmp_path, asked)
        assert (again.outcome, again.created, again.deleted) == ("done", 0, 0)


async def test_an_undo_that_was_given_up_can_be_given_again_where_no_run_followed(tmp_path: Path) -> None:
    """The run that gave it up was refused by a guard: the undo goes on, and makes nothing twice."""
    async with running(Config(**SIX)) as sandbox:
        former = await state(sandbox.url, digests=True)
        asked = await half_undone(sandbox, tmp_path)
        none = imageferry.Options(max_deletes=imageferry.MaxDeletes(count=0), settle=0.5, fresh=True)
        with pytest.raises(errors.UnsafePlanError, match="max-deletes"):
            await sync(sandbox, tmp_path, none)
        assert (await undone(sandbox, tmp_path, asked)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(former)


async def test_an_undo_that_was_given_up_leaves_no_product_unlisted(tmp_path: Path) -> None:
    """The run had a failure, the one that gave the undo up was refused: the next does not list what failed alone."""
    async with running(Config(**SIX)) as sandbox:
        asked = options(tmp_path, sandbox, concurrency=1)
        manifest = renewed(tmp_path, 6)
        await control(sandbox.url, "faults", [{"kind": "throttled", "status": 400, "methods": ["POST"], "count": 1}])
        assert (await sync(sandbox, tmp_path, asked)).outcome == "failed"
        await control(sandbox.url, "faults", [])
        await broken_off(sandbox, tmp_path, asked, calls=4)
        none = imageferry.Options(max_deletes=imageferry.MaxDeletes(count=0), settle=0.5, fresh=True)
        with pytest.raises(errors.UnsafePlanError, match="max-deletes"):
            await sync(sandbox, tmp_path, none)
        assert (await sync(sandbox, tmp_path, asked)).outcome == "done"
        assert (await imageferry.verify(access(sandbox), manifest, asked)).outcome == "done"


@pytest.mark.parametrize("lost", ["", ".plan", ".journal"])
async def test_an_undo_that_cannot_be_read_any_more_can_be_given_up(tmp_path: Path, lost: str) -> None:
    """Its files are damaged: exit 2 or 3 with a sentence, and --fresh leads out."""
    async with running(Config(**SIX)) as sandbox:
        asked = await half_undone(sandbox, tmp_path)
        path = tmp_path / f"m.jsonl.checkpoint.json.undo.json{lost}"
        if lost == ".plan":
            path.unlink()
        else:
            path.write_bytes(b'{"no":"seal"}\n{"event":1}\n' + (path.read_bytes() if path.exists() else b""))
        with pytest.raises((errors.CheckpointError, errors.UnsafePlanError)):
            await sync(sandbox, tmp_path, asked)
        assert (await sync(sandbox, tmp_path, FRESH)).outcome == "done"
        assert (await sync(sandbox, tmp_path, asked)).outcome == "done"


class FullWhen(LocalDisk):
    """The real disk, full once `names` of files have been published."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def replace(self, made: Path, path: Path) -> None:
        if path.name == self.name:
            raise disk_error(path, OSError(28, "No space left on device"), "renaming")
        await super().replace(made, path)


async def test_an_undo_whose_run_was_not_told_of_it_is_open_until_it_is(tmp_path: Path) -> None:
    """All was taken back, then the disk failed before the run's checkpoint had learned it: giving the undo again ends it."""
    async with running(Config(**SIX)) as sandbox:
        asked = options(tmp_path, sandbox)
        former = await state(sandbox.url, digests=True)
        await sync(sandbox, renewed(tmp_path, 6).parent, asked)
        with pytest.raises(errors.DiskError):
            await undone(sandbox, tmp_path, asked, seams=Ports(disk=FullWhen("m.jsonl.checkpoint.json")))
        assert look(await state(sandbox.url, digests=True)) == look(former)
        with pytest.raises(errors.UnsafePlanError, match="imageferry undo"):
            await sync(sandbox, tmp_path, asked)
        assert (await undone(sandbox, tmp_path, asked)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(former)
        assert (await sync(sandbox, tmp_path, asked)).outcome == "done"


async def test_what_is_left_of_an_undo_of_an_earlier_run_holds_nobody_up(tmp_path: Path) -> None:
    """A version that knew no open undo ran over it: it can't be finished any more, so there is nothing to wait for."""
    async with running(Config(**SIX)) as sandbox:
        asked = options(tmp_path, sandbox, concurrency=1)
        manifest, beside = tmp_path / "m.jsonl", "m.jsonl.checkpoint.json.undo.json"
        manifest.write_bytes(described(6, "A"))
        await sync(sandbox, tmp_path, asked)
        await broken_off(sandbox, tmp_path, asked, calls=3)
        left = {path: path.read_bytes() for path in tmp_path.glob(f"{beside}*")}
        manifest.write_bytes(described(6, "B"))
        await sync(sandbox, tmp_path, FRESH)
        for path, data in left.items():
            path.write_bytes(data)
        manifest.write_bytes(described(6, "C"))
        assert (await sync(sandbox, tmp_path, asked)).outcome == "done"


async def test_an_undo_that_ended_with_failures_is_not_open(tmp_path: Path) -> None:
    """It came to its end, and said what it could not take back; the nightly run goes on."""
    async with running(Config(**SIX)) as sandbox:
        manifest = tmp_path / "m.jsonl"
        manifest.write_bytes(lines([{"product_id": number, "images": []} for number in range(1, 7)]))
        await sync(sandbox, tmp_path, OPEN)
        assert (await undone(sandbox, tmp_path, OPEN)).outcome == "failed"
        assert (await sync(sandbox, tmp_path, OPEN)).outcome == "done"
