"""The disk fails under a run: exit 6 in the end, nothing sent that is not journalled, whole again once it is mended."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import orjson
import pytest

import imageferry
from imageferry.core import errors
from imageferry.core.checkpoint.records import is_whole
from imageferry.disk.filesystem import LocalDisk, disk_error
from imageferry.jobs.sandbox import Config, Fault, Sandbox, running
from imageferry.runs.context import Ports

from ..market import differences, lines, log, manifest_for, state, writes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.3)


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


class FailingDisk(LocalDisk):
    """The real disk until operation number `after` of one kind; from then on that kind fails."""

    def __init__(self, kind: str, after: int) -> None:
        self.kind, self.left = kind, after

    def strike(self, kind: str, path: Path) -> None:
        if kind == self.kind:
            self.left -= 1
            if self.left < 0:
                raise disk_error(path, OSError(28, "No space left on device"), kind)

    def append(self, path: Path):
        return _Failing(super().append(path), self, path)

    def create(self, path: Path):
        return _Failing(super().create(path), self, path)

    async def replace(self, made: Path, path: Path) -> None:
        self.strike("rename", path)
        await super().replace(made, path)


class _Failing:
    def __init__(self, file, disk: FailingDisk, path: Path) -> None:
        self.file, self.disk, self.path = file, disk, path

    def write(self, data: bytes) -> None:
        self.disk.strike("write", self.path)
        self.file.write(data)

    async def sync(self) -> None:
        self.disk.strike("sync", self.path)
        await self.file.sync()

    def close(self) -> None:
        self.file.close()


def intents(folder: Path) -> set[tuple[int, str]]:
    """What the journals in a folder say was meant to be sent: (product, change)."""
    found = set()
    for path in folder.glob("*.journal"):
        for line in path.read_bytes().splitlines(keepends=True):
            row = orjson.loads(line) if is_whole(line) else {}
            if row.get("event") == "sent":
                found.add((row["product_id"], row["change"].partition(":")[0]))
    return found


def sent(calls: list[dict]) -> set[tuple[int, str]]:
    """What the store saw of it."""
    verbs = {"POST": "create", "PUT": "update", "DELETE": "delete"}
    told = set()
    for call in writes(calls):
        parts = call["path"].partition("?")[0].split("/")
        verb = "empty" if call["method"] == "DELETE" and parts[-1] == "images" else verbs[call["method"]]
        told.add((int(parts[parts.index("products") + 1]), verb))
    return told


STRIKES = [("write", n) for n in (0, 1, 2, 3, 5, 8, 20)] + [("sync", n) for n in (0, 1, 2, 4, 9)] + [("rename", 0)]


@pytest.mark.parametrize(("kind", "after"), STRIKES, ids=[f"{kind} {after}" for kind, after in STRIKES])
async def test_a_failing_disk_ends_the_run_before_anything_unjournalled_is_sent(
    tmp_path: Path, kind: str, after: int
) -> None:
    """Whenever it strikes: a DiskError, every write has its intent on disk, and the same command finishes the job."""
    rows = manifest_for(20, 3, seed=5)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    faults = (Fault("dropped_after", 0.05),)
    async with running(Config(products=20, images=3, quota=None, fetch=False, faults=faults)) as sandbox:
        with pytest.raises(errors.DiskError, match="give the same command again"):
            await imageferry.sync(access(sandbox), manifest, OPEN, seams=Ports(disk=FailingDisk(kind, after)))
        assert sent(await log(sandbox.url)) <= intents(tmp_path)
        report = await imageferry.sync(access(sandbox), manifest, OPEN)
        sandbox.play()
        assert report.outcome == "done", report.failures
        assert differences(rows, await state(sandbox.url)) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where mounting is allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k", "none", folder], check=False, capture_output=True
    )
    if not done or done.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(tmp_path: Path, small_disk: Path) -> None:
    """64 KiB are soon full: a DiskError that says so; with room made, the same command converges."""
    rows = manifest_for(120, 4, seed=6)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    asked = imageferry.Options(
        max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.3, checkpoint=small_disk / "c.json"
    )
    ballast = small_disk / "ballast"
    async with running(Config(products=120, images=4, quota=None, fetch=False)) as sandbox:
        ballast.write_bytes(b"x" * 40_000)
        with pytest.raises(errors.DiskError, match="No space left"):
            await imageferry.sync(access(sandbox), manifest, asked)
        assert sent(await log(sandbox.url)) <= intents(small_disk)
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
        report = await imageferry.sync(access(sandbox), manifest, asked)
        assert report.outcome == "done"
        assert differences(rows, await state(sandbox.url)) == []


async def test_a_checkpoint_in_a_folder_that_is_not_there_is_a_disk_fault(tmp_path: Path) -> None:
    """Nothing is made on the quiet, nothing is sent."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(2, 1)))
    async with running(Config(products=2, images=1, quota=None)) as sandbox:
        asked = imageferry.Options(checkpoint=tmp_path / "nowhere" / "c.json")
        with pytest.raises(errors.DiskError, match="no such folder"):
            await imageferry.sync(access(sandbox), manifest, asked)
        assert await log(sandbox.url) == []
        assert not (tmp_path / "nowhere").exists()


async def test_all_files_of_a_run_are_for_their_owner_alone(tmp_path: Path) -> None:
    """0600 whatever the umask; what is left after an interrupt as well as after the end."""
    old = os.umask(0)
    try:
        manifest = tmp_path / "m.jsonl"
        manifest.write_bytes(lines(manifest_for(10, 2)))
        stop, progress = imageferry.Stop(), imageferry.Progress()
        async with running(Config(products=10, images=2, quota=None, fetch=False)) as sandbox:
            await imageferry.plan(access(sandbox), manifest)
            progress.notify = lambda _: None
            stop.request()
            await imageferry.sync(access(sandbox), manifest, OPEN, stop=stop)
            await imageferry.sync(access(sandbox), manifest, OPEN)
    finally:
        os.umask(old)
    made = [path for path in tmp_path.iterdir() if path != manifest]
    assert len(made) >= 4
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


async def test_a_plan_takes_the_place_of_an_older_one_only_when_it_is_whole(tmp_path: Path) -> None:
    """A file that anybody may write becomes 0600; a plan that was interrupted or refused by the disk leaves the older one."""
    manifest, planned = tmp_path / "m.jsonl", tmp_path / "p.plan"
    manifest.write_bytes(lines(manifest_for(20, 2)))
    planned.write_bytes(b"older")
    planned.chmod(0o666)
    async with running(Config(products=20, images=2, quota=None, fetch=False)) as sandbox:
        stop = imageferry.Stop()
        progress = _StopsAt("listing", stop)
        interrupted = await imageferry.plan(
            access(sandbox), manifest, OPEN, output=planned, progress=progress, stop=stop
        )
        assert (interrupted.report.outcome, planned.read_bytes()) == ("interrupted", b"older")
        with pytest.raises(errors.DiskError):
            await imageferry.plan(
                access(sandbox), manifest, OPEN, output=planned, seams=Ports(disk=FailingDisk("rename", 0))
            )
        assert planned.read_bytes() == b"older"
        planned.with_name("p.plan.new").write_bytes(b"of a process that was killed")
        planned.with_name("p.plan.new").chmod(0o666)
        made = await imageferry.plan(access(sandbox), manifest, OPEN, output=planned)
        assert stat.S_IMODE(planned.stat().st_mode) == 0o600
        assert not planned.with_name("p.plan.new").exists()
        assert (await imageferry.apply(access(sandbox), str(made.plan), OPEN)).outcome == "done"


class _StopsAt(imageferry.Progress):
    """Asks the run to stop when a phase begins."""

    def __init__(self, phase: str, stop: imageferry.Stop) -> None:
        super().__init__()
        self._fatal, self._stop = phase, stop

    def start_phase(self, phase: str, *, products: int | None = None, images: int | None = None) -> None:
        super().start_phase(phase, products=products, images=images)
        if phase == self._fatal:
            self._stop.request()


async def test_a_second_run_on_one_checkpoint_is_told_who_holds_it(tmp_path: Path) -> None:
    """The process, its command and since when; no call is made."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(2, 1)))
    async with running(Config(products=2, images=1, quota=None, fetch=False)) as sandbox:
        from imageferry.disk.lock import checkpoint_lock

        with checkpoint_lock(Ports().disk, Ports().now, tmp_path / "m.jsonl.checkpoint.json", "sync"):
            with pytest.raises(errors.LockedError, match=rf"`sync`, process {os.getpid()}, since 20"):
                await imageferry.sync(access(sandbox), manifest, OPEN)
        assert await log(sandbox.url) == []
        assert (await imageferry.sync(access(sandbox), manifest, OPEN)).outcome == "done"
