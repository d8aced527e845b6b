"""A run that is gone on with, and one that is not: what is counted, whose the figures are, and what differs."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import anyio

import imageferry

from .rehearsal import rehearsing, until

if TYPE_CHECKING:
    from pathlib import Path

    from .rehearsal import Rehearsal


def _interrupted(store: Rehearsal, manifest: Path, *more: object) -> int:
    """Stop a run of the manifest half-way; how many images it had made."""
    with store.started("sync", manifest, "--json", "--concurrency", "2", *more) as process:
        until(lambda: sum(entry.method == "POST" for entry in store.sandbox.log) > 5)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    record = json.loads(out.splitlines()[-1])
    assert record["outcome"] == "interrupted", err
    assert record["resumed"] is False
    return int(record["created"])


def test_a_resumed_run_says_which_figures_are_this_process_s(tmp_path: Path) -> None:
    """Images are counted since the first start, calls and time by this process; a run that nothing came before says nothing."""
    with rehearsing(tmp_path, write_latency=0.05) as store:
        manifest = store.write(dict.fromkeys(range(1, 21), 3))
        made = _interrupted(store, manifest)
        page = store.run("sync", manifest).out
        assert "images are counted since its first start, time and calls are this process's alone" in page
        assert "of this process alone" in next(line for line in page.splitlines() if line.startswith("  calls"))
        assert next(line for line in page.splitlines() if line.startswith("  created")).split()[1] == "60"
        assert made < 60
        quiet = store.run("sync", manifest, "--json").record
        assert quiet["resumed"] is False
        assert "first start" not in store.run("sync", manifest).out


def test_the_progress_of_a_resumed_run_begins_where_the_former_process_stopped(tmp_path: Path) -> None:
    """Products and images that were done count as done from the first look on, and the calls ahead are those that are left."""
    with rehearsing(tmp_path, write_latency=0.05) as store:
        manifest = store.write(dict.fromkeys(range(1, 21), 3))
        made = _interrupted(store, manifest)
        progress = _Seen()
        access = imageferry.Access(store.sandbox.store_hash, store.sandbox.access_token, store.sandbox.api_url)

        async def resume() -> imageferry.Report:
            return await imageferry.sync(access, manifest, progress=progress)

        report = anyio.run(resume)
    assert (report.outcome, report.resumed) == ("done", True)
    first, last = progress.looks[0], progress.looks[-1]
    assert (first.images_done, first.images) == (made, 60)
    assert 0 < first.products_done < 20
    assert first.calls_left is not None
    assert first.calls_left < 60
    assert (last.images_done, last.images, last.products_done) == (60, 60, 20)


class _Seen(imageferry.Progress):
    """Looks whenever calls are expected and counts change."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[imageferry.progress.Snapshot] = []

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in {"products_done", "_sent"} and getattr(self, "phase", "") == "applying" and self._sent is not None:
            self.looks.append(self.snapshot())


def test_a_limit_that_is_left_out_is_named_as_the_difference(tmp_path: Path) -> None:
    """An unfinished run with --limit, given again without: not "another manifest"."""
    with rehearsing(tmp_path, write_latency=0.05) as store:
        manifest = store.write(dict.fromkeys(range(1, 21), 3))
        _interrupted(store, manifest, "--limit", "10")
        whole = store.run("sync", manifest)
        assert whole.code == 0
        assert "it was for --limit 10, this is for the whole manifest" in whole.err
        assert "another manifest" not in whole.err
        assert store.sandbox.shop.catalogue.total_images == 60


def test_a_changed_manifest_and_another_command_are_named_as_the_difference(tmp_path: Path) -> None:
    """Each as what it is."""
    with rehearsing(tmp_path, write_latency=0.05) as store:
        manifest = store.write(dict.fromkeys(range(1, 21), 3))
        _interrupted(store, manifest)
        assert "it was `sync`, this is `migrate`" in store.run("migrate", manifest).err
    with rehearsing(tmp_path, write_latency=0.05) as store:
        manifest = store.write(dict.fromkeys(range(1, 21), 3), "other.jsonl")
        _interrupted(store, manifest)
        store.write(dict.fromkeys(range(1, 20), 3), "other.jsonl")
        assert "the manifest has been changed since" in store.run("sync", manifest).err
