"""Undo, killed half-way: the same command goes on, and the store is as it was before the run, picture by picture.

No sync gets between, and whatever has become of the backup, no gallery is emptier after a kill than before the undo.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import imageferry
from imageferry.jobs.sandbox import Config, running

from ..market import lines, state
from ..verbs.test_undo import access, look, mixed, options, versioned
from ..verbs.test_undo_losses import harm, renewed, sizes

if TYPE_CHECKING:
    from pathlib import Path

    from imageferry.jobs.sandbox import Sandbox


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
async def test_an_undo_killed_twice_gives_the_former_state_back(tmp_path: Path, seed: int) -> None:
    """A mixed run with replacements; `undo --yes` is killed twice after its first writes, then left alone."""
    chance = random.Random(seed)
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=25, images=4, quota=None, fetch=False, latency=0.02)) as sandbox:
        asked = options(tmp_path, sandbox)
        manifest.write_bytes(lines(versioned(seed)))
        assert (await imageferry.sync(access(sandbox), manifest, asked)).outcome == "done"
        before = await state(sandbox.url, digests=True)
        manifest.write_bytes(lines(mixed(seed + 10)))
        assert (await imageferry.sync(access(sandbox), manifest, asked)).outcome == "done"
        killed = 0
        for _ in range(2):
            killed += await _undo(sandbox, tmp_path, kill_after=chance.uniform(0.02, 0.3)) == -9
        assert killed > 0
        assert await _undo(sandbox, tmp_path, kill_after=None) == 0
        assert look(await state(sandbox.url, digests=True)) == look(before)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [3, 4])
async def test_a_sync_after_a_killed_undo_is_refused_until_the_undo_is_finished(tmp_path: Path, seed: int) -> None:
    """Exit 3 and not one write; then the undo gives all of the run back, and the same sync carries it out again."""
    chance = random.Random(seed)
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=25, images=4, quota=None, fetch=False, latency=0.02)) as sandbox:
        asked = options(tmp_path, sandbox)
        manifest.write_bytes(lines(versioned(seed)))
        assert (await imageferry.sync(access(sandbox), manifest, asked)).outcome == "done"
        before = await state(sandbox.url, digests=True)
        manifest.write_bytes(lines(mixed(seed + 10)))
        assert (await imageferry.sync(access(sandbox), manifest, asked)).outcome == "done"
        sent = _writes(sandbox)
        while _writes(sandbox) == sent:
            assert await _undo(sandbox, tmp_path, kill_after=chance.uniform(0.02, 0.3)) == -9
        await anyio.sleep(0.5)  # what was on its way when it was killed arrives
        sent = _writes(sandbox)
        nightly = ["sync", str(manifest), "--max-deletes", "100%", "-q"]
        assert await _start(sandbox, tmp_path, nightly, None) == 3
        assert _writes(sandbox) == sent
        assert await _undo(sandbox, tmp_path, kill_after=None) == 0
        assert look(await state(sandbox.url, digests=True)) == look(before)
        assert await _start(sandbox, tmp_path, nightly, None) == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", ["no backup", "another store's", "cut pictures", "lost pictures", "a damaged index"])
async def test_killed_undos_empty_no_gallery_whatever_became_of_the_backup(tmp_path: Path, way: str) -> None:
    """All images were replaced; undos are killed, the backup is harmed between them: at no time is a gallery emptier."""
    chance = random.Random(way)
    async with running(Config(products=20, images=2, quota=None, fetch=False, latency=0.02)) as sandbox:
        asked = options(tmp_path, sandbox)
        assert (await imageferry.sync(access(sandbox), renewed(tmp_path, 20), asked)).outcome == "done"
        folder = None if way == "no backup" else tmp_path / "kept"
        harmed = folder is None
        for kill_after in (chance.uniform(0.05, 0.4), chance.uniform(0.05, 0.4), None):
            code = await _undo(sandbox, tmp_path, kill_after=kill_after, backup=folder)
            assert min(sizes(await state(sandbox.url))) >= 2
            if not harmed:
                await harm(way, tmp_path)
                harmed = True
        assert code in {0, 1}


def _writes(sandbox: Sandbox) -> int:
    return sum(entry.method != "GET" for entry in sandbox.log)


async def _undo(
    sandbox: Sandbox, folder: Path, *, kill_after: float | None, backup: Path | str | None = ""
) -> int | None:
    checkpoint = folder / "m.jsonl.checkpoint.json"
    command = ["undo", str(checkpoint), "--yes", "-q", "--settle", "1", "--json"]
    if backup is not None:
        command += ["--backup", str(backup or folder / "kept")]
    return await _start(sandbox, folder, command, kill_after)


async def _start(sandbox: Sandbox, folder: Path, words: list[str], kill_after: float | None) -> int | None:
    command = [sys.executable, "-m", "imageferry", *words]
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
