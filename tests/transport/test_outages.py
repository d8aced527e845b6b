"""The store goes away in the middle of a run: for a while, for good, or it hangs."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import anyio
import pytest

import imageferry
from imageferry.core import errors
from imageferry.jobs.sandbox import Config, Sandbox, running

from ..market import differences, lines, manifest_for, state

if TYPE_CHECKING:
    from pathlib import Path


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


def options(give_up_after: float) -> imageferry.Options:
    everything = imageferry.MaxDeletes(share=1.0)
    return imageferry.Options(max_deletes=everything, settle=0.5, give_up_after=give_up_after, stall_after=3.0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def store(tmp_path: Path, port: int) -> Config:
    return Config(
        port=port, products=40, images=4, quota=None, fetch=False, latency=0.02, state=tmp_path / "state",
        store_hash="comeback", access_token="t" * 32,
    )  # fmt: skip


async def _cut_in_the_middle(
    config: Config, manifest: Path, asked: imageferry.Options, gone: float | None
) -> imageferry.Report:
    """Sync; stop the store once applying is under way; start it again after `gone` seconds, or not at all."""
    progress = imageferry.Progress()
    result: list[imageferry.Report | errors.FerryError] = []

    async def sync(target: imageferry.Access) -> None:
        try:
            result.append(await imageferry.sync(target, manifest, asked, progress=progress))
        except errors.FerryError as error:
            result.append(error)

    async with anyio.create_task_group() as tasks:
        async with running(config) as sandbox:
            tasks.start_soon(sync, access(sandbox))
            while progress.images_done < 20 or progress.phase != "applying":
                await anyio.sleep(0.005)
        if gone is not None:
            await anyio.sleep(gone)
            async with running(config):
                while not result:
                    await anyio.sleep(0.02)
    (outcome,) = result
    if isinstance(outcome, errors.FerryError):
        raise outcome
    return outcome


async def test_a_store_that_comes_back_in_time_is_waited_for(tmp_path: Path) -> None:
    """Connection refused for less than --give-up-after: the run goes on by itself and ends as asked."""
    rows = manifest_for(40, 4, seed=11)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    config = store(tmp_path, free_port())
    report = await _cut_in_the_middle(config, manifest, options(60), gone=1.5)
    assert report.outcome == "done", report.failures
    async with running(config) as sandbox:
        assert differences(rows, await state(sandbox.url)) == []


async def test_a_store_that_stays_away_ends_the_run_which_can_be_resumed(tmp_path: Path) -> None:
    """Longer than --give-up-after: unreachable; the same command finishes the job once the store is back."""
    rows = manifest_for(40, 4, seed=12)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    config = store(tmp_path, free_port())
    with pytest.raises(errors.UnreachableError) as raised:
        await _cut_in_the_middle(config, manifest, options(1.0), gone=None)
    assert raised.value.report is not None
    assert raised.value.report.created + raised.value.report.updated > 0
    assert imageferry.status(f"{manifest}.checkpoint.json").state == "interrupted"
    async with running(config) as sandbox:
        report = await imageferry.sync(access(sandbox), manifest, options(60))
        assert report.outcome == "done"
        assert differences(rows, await state(sandbox.url)) == []


async def test_a_host_that_accepts_and_never_answers_is_given_up(tmp_path: Path) -> None:
    """A hanging connect: calls are cut by the watchdog, and the run ends as unreachable."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(2, 1)))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        target = imageferry.Access("silent1", "t" * 32, f"http://127.0.0.1:{silent.getsockname()[1]}")
        said: list[str] = []
        asked = imageferry.Options(give_up_after=2.0, stall_after=1.0)
        with pytest.raises(errors.UnreachableError):
            await imageferry.sync(target, manifest, asked, progress=imageferry.Progress(said.append))
        assert any("in flight" in sentence for sentence in said), said
