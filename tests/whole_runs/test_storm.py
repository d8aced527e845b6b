"""Bad weather over real sockets: a fifth of all calls goes wrong in every way that the sandbox knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

import imageferry
from imageferry.jobs.sandbox import Config, Fault, Sandbox, running

from ..market import differences, lines, log, manifest_for, state

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = ("throttled", "bare_429", "failed_before", "dropped_before", "locked", "conflict", "hang")
AFTER = ("failed_after", "dropped_after", "cut_body", "garbled", "late_commit", "slow")


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


async def counted(url: str) -> dict[str, int]:
    """What the store did for us, image by image, from its own log."""
    created: set[int] = set()
    updated: set[int] = set()
    deleted: set[int] = set()
    for call in await log(url):
        if call["committed"]:
            {"POST": created, "PUT": updated, "DELETE": deleted}[call["method"]].update(call["image_ids"])
    return {"created": len(created), "updated": len(updated - created), "deleted": len(deleted)}


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_fifth_of_all_calls_going_wrong_leaves_the_store_as_asked(tmp_path: Path) -> None:
    """2,000 images, half of the faults after the commit: converged, none doubled, and the summary is the log's."""
    rows = manifest_for(500, 4, seed=21)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    faults = [Fault(kind, 0.1 / len(BEFORE), delay=0.5) for kind in BEFORE]
    faults += [Fault(kind, 0.1 / len(AFTER), delay=0.5) for kind in AFTER]
    config = Config(products=500, images=4, quota=None, window_ms=1000, fetch=False, faults=tuple(faults), seed=3)
    asked = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=3.0, concurrency=48)
    async with running(config) as sandbox:
        report = await imageferry.sync(access(sandbox), manifest, asked)
        sandbox.play()
        await anyio.sleep(0.6)
        assert report.outcome == "done", report.failures[:5]
        assert differences(rows, await state(sandbox.url)) == []
        told = {"created": report.created, "updated": report.updated, "deleted": report.deleted}
        assert told == await counted(sandbox.url)
        assert report.adopted > 20


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_creates_answered_504_and_carried_out_six_seconds_later_are_not_doubled(tmp_path: Path) -> None:
    """5% of creates, with --settle as it comes: converged, none doubled, done."""
    rows = [
        {"product_id": p, "images": [{"image_file": f"https://x.example/new-{p}-{n}.jpg"} for n in (1, 2, 3)]}
        for p in range(1, 101)
    ]
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    faults = (Fault("late_commit", 0.05, ("POST",), status=504, delay=6.0),)
    async with running(Config(products=100, quota=None, fetch=False, faults=faults, seed=1)) as sandbox:
        report = await imageferry.migrate(access(sandbox), manifest)
        assert report.outcome == "done", report.failures
        assert report.adopted > 5
        assert differences(rows, await state(sandbox.url)) == []
