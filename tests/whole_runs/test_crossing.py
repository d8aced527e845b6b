"""Whole crossings over real sockets, judged by the sandbox's own state and log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import imageferry
from imageferry.jobs.sandbox import Config, Fault, Sandbox, running

from ..market import differences, lines, log, manifest_for, state, writes

if TYPE_CHECKING:
    from pathlib import Path

OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5)


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


@pytest.mark.parametrize("create_moves", [False, True], ids=["POST moves nothing", "POST moves siblings"])
@pytest.mark.parametrize("renumber", ["none", "raised", "always"])
async def test_sync_converges_under_each_reading_of_renumbering(
    tmp_path: Path, renumber: str, create_moves: bool
) -> None:
    """2,000 images: created, updated, reordered, flagged and deleted as asked; a second sync writes nothing."""
    rows = manifest_for(500, 4, seed=3)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    config = Config(products=500, images=4, quota=None, fetch=False, renumber=renumber, renumber_on_create=create_moves)
    async with running(config) as sandbox:
        report = await imageferry.sync(access(sandbox), manifest, OPEN)
        assert report.outcome == "done", report.failures[:3]
        assert differences(rows, await state(sandbox.url)) == []
        assert (await imageferry.verify(access(sandbox), manifest)).outcome == "done"
        before = len(writes(await log(sandbox.url)))
        again = await imageferry.sync(access(sandbox), manifest, OPEN)
        assert again.outcome == "done"
        assert len(writes(await log(sandbox.url))) == before


async def test_sync_converges_through_lost_answers_and_failures_and_doubles_nothing(tmp_path: Path) -> None:
    """5% of answers lost after the commit, 5% failing before it, 60 calls a second: the same end state."""
    rows = manifest_for(150, 4, seed=4)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    faults = (Fault("dropped_after", 0.05), Fault("failed_before", 0.05))
    config = Config(products=150, images=4, quota=180, window_ms=3000, fetch=False, faults=faults, seed=5)
    async with running(config) as sandbox:
        report = await imageferry.sync(access(sandbox), manifest, OPEN)
        sandbox.play()
        assert report.outcome == "done", (report, report.failures[:3])
        assert differences(rows, await state(sandbox.url)) == []
        assert report.adopted > 0
