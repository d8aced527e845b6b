"""Undo, killed half-way, twice: the same command goes on, and the store is as it was before the run, picture by picture."""

from __future__ import annotations

import os
import random
import signal
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import engine
from jobs.sandbox import Config, running

from ..engine.test_undo import access, look, mixed, options, versioned
from ..market import lines, state

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sandbox import Sandbox


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
async def test_an_undo_killed_twice_gives_the_former_state_back(tmp_path: Path, seed: int) -> None:
    """A mixed run with replacements; `undo --yes` is killed twice after its first writes, then left alone."""
    chance = random.Random(seed)
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=25, images=4, quota=None, fetch=False, latency=0.02)) as sandbox:
        asked = options(tmp_path, sandbox)
        manifest.write_bytes(lines(versioned(seed)))
        assert (await engine.sync(access(sandbox), manifest, asked)).outcome == "done"
        before = await state(sandbox.url, digests=True)
        manifest.write_bytes(lines(mixed(seed + 10)))
        assert (await engine.sync(access(sandbox), manifest, asked)).outcome == "done"
        killed = 0
        for _ in range(2):
            killed += await _undo(sandbox, tmp_path, kill_after=chance.uniform(0.02, 0.3)) == -9
        assert killed > 0
        assert await _undo(sandbox, tmp_path, kill_after=None) == 0
        assert look(await state(sandbox.url, digests=True)) == look(before)


async def _undo(sandbox: Sandbox, folder: Path, *, kill_after: float | None) -> int | None:
    checkpoint = folder / "m.jsonl.checkpoint.json"
    command = [sys.executable, "-m", "jobs", "undo", str(checkpoint), "--yes", "-q", "--settle", "1"]
    command += ["--backup", str(folder / "kept"), "--json"]
    environment = {
        **os.environ,
        "BIGCOMMERCE_STORE_HASH": sandbox.store_hash,
        "BIGCOMMERCE_ACCESS_TOKEN": sandbox.access_token,
        "BIGCOMMERCE_API_URL": sandbox.api_url,
    }
    with (folder / "undo.out").open("wb") as out:
        process: Any = await anyio.open_process(command, env=environment, stdout=out, stderr=out)
        if kill_after is not None:
            journal = folder / "m.jsonl.checkpoint.json.undo.json.journal"
            while not journal.exists() and process.returncode is None:
                await anyio.sleep(0.002)
            await anyio.sleep(kill_after)
            if process.returncode is None:
                os.kill(process.pid, signal.SIGKILL)
        return await process.wait()
