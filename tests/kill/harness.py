"""Kills real processes: `imageferry sync` against a sandbox over real sockets, SIGKILL at random moments, until it is done.

What must hold in the end is read from the store's own state and log, never from the engine's word.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from imageferry.jobs.sandbox import Config, Fault, Sandbox, running

from ..market import differences, lines, log, manifest_for, state, writes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PHASES = ("starting", "listing", "applying", "draining", "compacting")
PRODUCTS = 24
FAULTS = (
    Fault("dropped_after", 0.04),
    Fault("failed_after", 0.02),
    Fault("failed_before", 0.03),
    Fault("late_commit", 0.02, ("POST",), delay=0.3),
)


@dataclass(slots=True)
class Story:
    """What became of one run: the phases in which it was killed, how it ended, and what is wrong with the store."""

    seed: int
    kills: list[str] = field(default_factory=list)
    exit_code: int | None = None
    starts: int = 0
    wrong: list[str] = field(default_factory=list)


async def one_run(folder: Path, seed: int, kills: int) -> Story:
    """Sync a made-up manifest, killed `kills` times, then left alone; and once more, which must write nothing."""
    chance = random.Random(seed)
    story = Story(seed)
    rows = manifest_for(PRODUCTS, 3, seed=seed)
    manifest = folder / f"run-{seed}.jsonl"
    manifest.write_bytes(lines(rows))
    readings = ("none", "raised", "always")
    config = Config(
        products=PRODUCTS, images=3, quota=None, fetch=False, latency=0.1 if seed % 2 == 0 else 0.03, jitter=0.02, seed=seed,
        renumber=readings[seed % 3], faults=FAULTS if seed % 2 else (),
    )  # fmt: skip
    async with running(config) as sandbox:
        while story.exit_code is None and story.starts < kills * 3 + 5:
            phase = chance.choice(PHASES) if len(story.kills) < kills else "never"
            story.starts += 1
            await _start_and_kill(sandbox, manifest, phase, chance, story)
        sandbox.play()
        await _judge(sandbox, manifest, rows, story)
    return story


async def _start_and_kill(sandbox: Sandbox, manifest: Path, phase: str, chance: random.Random, story: Story) -> None:
    counts = _counts(sandbox)
    async with _process(sandbox, manifest) as process:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_kill_in, phase, process, manifest, sandbox, counts, chance)
            code = await process.wait()
            tasks.cancel_scope.cancel()
        error = await _drain(process)
    # A SIGINT that comes when all is done, the report printed and the handlers gone, ends the interpreter.
    if code in {-signal.SIGKILL, -signal.SIGINT}:
        story.kills.append(phase)
    elif code != 130:
        story.exit_code = code
        if code:
            story.wrong.append(f"exit code {code}: {error[-800:]}")


async def _kill_in(
    phase: str, process: Any, manifest: Path, sandbox: Sandbox, counts: int, chance: random.Random
) -> None:
    beside = str(manifest) + ".checkpoint.json"
    if phase == "never":
        return
    if phase == "starting":
        await anyio.sleep(chance.uniform(0.15, 0.6))
    elif phase == "listing":
        await _until(lambda: os.path.exists(beside + ".plan"))
        await anyio.sleep(chance.uniform(0, 0.15))
    elif phase == "compacting":
        await _until(lambda: _counts(sandbox) >= counts + 2)
        await anyio.sleep(chance.uniform(0.015, 0.06))
    else:
        await _until(lambda: os.path.exists(beside + ".journal") and _holds(beside, process.pid))
        await anyio.sleep(chance.uniform(0, 0.6))
        if phase == "draining":
            _signal(process, signal.SIGINT)
            await anyio.sleep(chance.uniform(0, 0.08))
    _signal(process, signal.SIGKILL)


def _signal(process: Any, number: int) -> None:
    """The process object's own way to send one may reap a child that has just ended, and its exit code would be lost."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _holds(checkpoint: str, pid: int) -> bool:
    try:
        with open(checkpoint + ".holder") as file:
            return bool(json.load(file)["pid"] == pid)
    except (OSError, ValueError):
        return False


async def _until(true: Any) -> None:
    while not true():
        await anyio.sleep(0.002)


def _counts(sandbox: Sandbox) -> int:
    return sum(entry.path.endswith("/images/count") for entry in sandbox.log)


@asynccontextmanager
async def _process(sandbox: Sandbox, manifest: Path) -> AsyncIterator[Any]:
    command = [
        sys.executable,
        "-m",
        "jobs",
        "sync",
        str(manifest),
        "--json",
        "-q",
        "--max-deletes",
        "100%",
        "--settle",
        "1",
    ]
    environment = {
        **os.environ,
        "BIGCOMMERCE_STORE_HASH": sandbox.store_hash,
        "BIGCOMMERCE_ACCESS_TOKEN": sandbox.access_token,
        "BIGCOMMERCE_API_URL": sandbox.api_url,
    }
    output = manifest.with_suffix(".out")
    with output.open("wb") as file:
        process = await anyio.open_process(command, env=environment, stdin=None, stdout=file, stderr=file)
        process.output = output  # type: ignore[attr-defined]
        try:
            yield process
        finally:
            if process.returncode is None:
                _signal(process, signal.SIGKILL)
                await process.wait()


async def _drain(process: Any) -> str:
    return process.output.read_text(errors="replace")


async def _judge(sandbox: Sandbox, manifest: Path, rows: list[dict[str, Any]], story: Story) -> None:
    """The store is as asked, nothing doubled, and the same command once more writes nothing."""
    await anyio.sleep(0.35)
    story.wrong += differences(rows, await state(sandbox.url))
    report = json.loads(manifest.with_suffix(".out").read_text().splitlines()[-1]) if not story.wrong else {}
    committed = [
        image_id
        for call in await log(sandbox.url)
        if call["method"] == "POST" and call["committed"]
        for image_id in call["image_ids"]
    ]
    # A kill between the last rename and the report leaves a finished run; the next one is a new one with nothing to do.
    over_already = report and report["unchanged"] == report["wanted"] and not report["created"]
    if report and not over_already and report["created"] != len(committed):
        story.wrong.append(f"the report says {report['created']} created, the store made {len(committed)}")
    before = len(writes(await log(sandbox.url)))
    async with _process(sandbox, manifest) as process:
        code = await process.wait()
    if code or len(writes(await log(sandbox.url))) != before:
        story.wrong.append(
            f"the same command once more: exit {code}, and {len(writes(await log(sandbox.url))) - before} writes"
        )
