"""Where a run keeps its files, and what it says where none can be kept: locks, pipes, devices, read-only folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from imageferry.disk.lock import checkpoint_lock
from imageferry.disk.processes import here
from imageferry.runs.context import Ports

from .rehearsal import Rehearsal, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder takes no file any more: by its mode, or for root, whom no mode stops, by a mount."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    if subprocess.run(["mount", "--bind", folder, folder], check=False, capture_output=True).returncode:
        pytest.skip("root, and nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def piped(manifest: Path) -> Iterator[str]:
    """The manifest as `<(cat manifest)` gives it."""
    reads, writes = os.pipe()
    with os.fdopen(writes, "wb") as pipe:
        pipe.write(manifest.read_bytes())
    try:
        yield f"/dev/fd/{reads}"
    finally:
        os.close(reads)


def test_a_run_whose_manifest_is_a_pipe_ends_with_6_and_names_the_flag(store: Rehearsal) -> None:
    """No checkpoint can lie beside a pipe, which is no other run's doing: `--checkpoint` is named, and nothing is sent."""
    manifest = store.write({1: 1})
    for command in ("plan", "sync", "migrate"):
        with piped(manifest) as name:
            ended = store.run(command, name, "--json")
            assert (ended.code, ended.record["outcome"]) == (6, "disk"), command
            assert "--checkpoint FILE" in ended.err
    assert not store.sandbox.log
    with piped(manifest) as name:
        assert store.run("sync", name, "--checkpoint", store.folder / "c.json").code == 0


def test_what_only_looks_takes_a_pipe_without_a_checkpoint(store: Rehearsal) -> None:
    """`verify`, a dry run and `plan -o` need no lock, so they need no folder beside the pipe either."""
    manifest = store.write({1: 1})
    for code, *words in ((1, "verify"), (0, "plan", "-o", store.folder / "p.plan"), (0, "sync", "-n")):
        with piped(manifest) as name:
            ended = store.run(*words, name)
            assert ended.code == code, ended.err
    assert sorted(path.name for path in store.folder.iterdir()) == ["p.plan", "products.jsonl"]


@pytest.mark.parametrize("place", ["/proc", "/dev/fd"])
def test_a_place_where_no_file_can_be_made_ends_with_6(store: Rehearsal, place: str) -> None:
    """The lock can't be made there, so nobody holds it."""
    ended = store.run("sync", store.write({1: 1}), "--checkpoint", f"{place}/c.json", "--json")
    assert (ended.code, ended.record["outcome"]) == (6, "disk")
    assert "--checkpoint" in ended.err
    assert "another run" not in ended.err


def test_a_read_only_place_ends_writing_runs_with_6_and_stops_no_looking_one(store: Rehearsal) -> None:
    """Manifest and finished checkpoint lie in a folder that takes no file: `verify`, dry runs and `plan -o` go on, and use it."""
    folder = store.folder / "fixed"
    folder.mkdir()
    manifest = store.write({1: 2, 2: 1}, "fixed/products.jsonl")
    assert store.run("sync", manifest).code == 0
    kept = sorted(folder.iterdir())
    with read_only(folder):
        for command in ("sync", "migrate", "plan"):
            ended = store.run(command, manifest, "--json")
            assert (ended.code, ended.record["outcome"]) == (6, "disk"), command
        assert store.run("verify", manifest).code == 0
        assert store.run("plan", manifest, "-o", store.folder / "p.plan").code == 0
        dry = store.run("sync", "-n", manifest, "--json")
        assert (dry.code, dry.record["creates"]) == (0, 0)
        assert store.run("apply", "-n", dry.record["plan"]).code == 0
        checkpoint = manifest.with_name("products.jsonl.checkpoint.json")
        assert store.run("status", checkpoint).code == 0
        undone = store.run("undo", checkpoint, "-n", "--json")
        assert (undone.code, undone.record["deletes"]) == (0, 3), undone.err
        assert store.run("undo", checkpoint, "--yes").code == 6
    assert sorted(folder.iterdir()) == kept


def test_what_only_looks_goes_on_beside_a_run_at_work(store: Rehearsal) -> None:
    """The lock is held: `verify`, dry runs and `plan -o` elsewhere need none, while what writes is told who holds it."""
    manifest = store.write({1: 1})
    (store.folder / "other").mkdir()
    with checkpoint_lock(Ports().disk, Ports().now, manifest.with_name(manifest.name + ".checkpoint.json"), "sync"):
        assert store.run("verify", manifest).code == 1
        assert store.run("migrate", "-n", manifest).code == 0
        planned = store.run("plan", manifest, "-o", store.folder / "other" / "p.plan")
        assert planned.code == 0
        assert store.run("apply", "-n", store.folder / "other" / "p.plan").code == 0
        assert store.run("apply", store.folder / "other" / "p.plan").code == 4
        assert store.run("sync", manifest).code == 4
        assert store.run("plan", manifest).code == 4
    store.run("sync", manifest)
    checkpoint = manifest.with_name(manifest.name + ".checkpoint.json")
    before = sorted(store.folder.iterdir())
    with checkpoint_lock(Ports().disk, Ports().now, checkpoint, "sync"):
        undone = store.run("undo", checkpoint, "-n", "--json")
        assert (undone.code, undone.record["deletes"]) == (0, 1), undone.err
        assert store.run("undo", checkpoint, "--yes").code == 4
    assert sorted({*store.folder.iterdir()} - {*before}) == [
        checkpoint.with_name(checkpoint.name + ".undo.json.proposed")
    ]
    assert store.sandbox.shop.catalogue.total_images == 1


def test_verify_knows_what_an_unfinished_run_has_learned_without_its_lock(store: Rehearsal) -> None:
    """It reads plan and journal of a run that is still at work, and leaves nothing behind."""
    store.sandbox.config.names = "lost"
    manifest = store.write({1: 1, 2: 1})
    store.sandbox.play(*_hangs_at_product_2())
    with store.started("sync", manifest) as run:
        until(lambda: store.sandbox.shop.catalogue.total_images == 1)
        until(lambda: any(entry.method == "POST" and "/2/" in entry.path for entry in store.sandbox.log))
        found = store.run("verify", manifest, "--json").record
        assert {failure["product_id"] for failure in found["failures"]} == {2}
        run.kill()
    assert not [path.name for path in store.folder.iterdir() if "verify" in path.name or "lessons" in path.name]


def _hangs_at_product_2() -> list[Any]:
    from imageferry.jobs.sandbox.faults import Fault

    return [Fault("hang", path="/2/images", methods=("POST",))]


@pytest.mark.parametrize("command", ["status", "apply", "undo"])
def test_what_is_no_regular_file_is_refused_at_once(store: Rehearsal, command: str) -> None:
    """A device that never ends, a pipe that nobody writes to, a folder: exit code 6, in a process that ends by itself."""
    os.mkfifo(store.folder / "pipe")
    for name in ("/dev/zero", store.folder / "pipe", store.folder):
        ended = store.spawn(command, name, "--json")
        assert ended.code == 6, ended.err
        assert "no regular file" in ended.err


def test_a_checkpoint_that_is_no_regular_file_is_refused_before_anything_is_made_beside_it(store: Rehearsal) -> None:
    """`--checkpoint /dev/full` or a pipe: exit code 6, no lock file beside the device."""
    os.mkfifo(store.folder / "pipe")
    manifest = store.write({1: 1})
    for name in ("/dev/full", store.folder / "pipe"):
        for command in ("sync", "verify", "plan"):
            ended = store.spawn(command, manifest, "--checkpoint", name)
            assert ended.code == 6, ended.err
    assert not os.path.exists("/dev/full.lock")
    assert not (store.folder / "pipe.lock").exists()
    assert not store.sandbox.log


def test_a_file_system_without_locks_is_refused_with_6(store: Rehearsal) -> None:
    """A marker file in the lock's place would not end with its process, so it is not trusted."""
    code = (
        "import errno, fcntl, os, sys\n"
        "def flock(*_): raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))\n"
        "fcntl.flock = flock\n"
        "from imageferry.jobs.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    manifest = store.write({1: 1})
    environment = {**os.environ, **store.environment}
    ended = subprocess.run(
        [sys.executable, "-c", code, "sync", manifest], env=environment, capture_output=True, check=False, timeout=50
    )
    assert ended.returncode == 6, ended.stderr
    assert b"locking failed" in ended.stderr
    assert not store.sandbox.log


def _noted(store: Rehearsal, **more: Any) -> Rehearsal:
    """A note beside an unfinished run's checkpoint, as another process wrote it."""
    note = {"pid": 4_000_000, "began": "1", "command": "sync", "since": 1_700_000_000.0, **more}
    (store.folder / "products.jsonl.checkpoint.json.holder").write_text(json.dumps(note))
    return store


def test_status_never_calls_a_process_dead_that_it_cannot_see(store: Rehearsal) -> None:
    """A run on another machine or in another container is at work on HOST; one that is gone from here died."""
    checkpoint = store.folder / "products.jsonl.checkpoint.json"
    store.sandbox.play(*_hangs_at_product_2())
    with store.started("sync", store.write({1: 1, 2: 1})) as run:
        until(lambda: any(entry.method == "POST" and "/2/" in entry.path for entry in store.sandbox.log))
        run.kill()
    elsewhere = {"host": "web-7", "machine": None, "boot": "another", "processes": "pid:[4026532001]"}
    far = _noted(store, **elsewhere).run("status", checkpoint, "--json").record
    assert (far["state"], far["host"], far["pid"]) == ("applying", "web-7", 4_000_000)
    page = store.run("status", checkpoint).out
    assert "`sync` is at work on web-7" in page
    assert "died" not in page
    container = {**here().row(), "host": "4f0a", "processes": "pid:[4026532777]"}
    assert "at work on 4f0a" in _noted(store, **container).run("status", checkpoint).out
    assert _noted(store, **here().row()).run("status", checkpoint, "--json").record["state"] == "died"
    assert _noted(store).run("status", checkpoint, "--json").record["state"] == "died"


def test_times_are_shown_in_one_format_with_their_zone(store: Rehearsal) -> None:
    """By who is refused, by `status`, and by what an undo is about."""
    manifest = store.write({1: 1})
    checkpoint = manifest.with_name(manifest.name + ".checkpoint.json")
    with checkpoint_lock(Ports().disk, lambda: 1_700_000_000.0, checkpoint, "sync"):
        refused = store.run("sync", manifest, TZ="UTC").err
        shown = store.run("status", checkpoint).out
    store.run("sync", manifest)
    undone = store.run("undo", checkpoint, "-n").out
    form = r"since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d"
    import re

    assert re.search(form, refused)
    assert re.search(form, shown)
    assert re.search(form.replace("since", "began at"), undone)
