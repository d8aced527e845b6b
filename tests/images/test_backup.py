"""The backup folder: one for several stores and several runs, and nothing in it that could lead out of it."""

from __future__ import annotations

import hashlib
import json
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import imageferry
from imageferry.core import errors
from imageferry.core.checkpoint.records import seal
from imageferry.jobs.sandbox import Config, running

from ..market import control, lines, log, state, writes
from ..verbs.test_undo import access, look, options, yes

if TYPE_CHECKING:
    from pathlib import Path

    from imageferry.jobs.sandbox import Sandbox

TWO = {"products": 2, "images": 2, "quota": None, "fetch": False}


def emptied(folder: Path, *products: int, name: str = "m.jsonl") -> Path:
    """A manifest that empties these galleries."""
    manifest = folder / name
    manifest.write_bytes(lines([{"product_id": number, "images": []} for number in products]))
    return manifest


def index(folder: Path) -> list[dict[str, Any]]:
    """The lines of a backup's index."""
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_bytes().splitlines()]
    for row in rows:
        row.pop("crc")
    return rows


def is_whole(folder: Path, row: dict[str, Any]) -> bool:
    """Return True if the file of an index line has the digest of the line."""
    return hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest() == row["sha256"]


async def undone(sandbox: Sandbox, manifest: Path, asked: imageferry.Options) -> imageferry.Report:
    return await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)


async def test_two_stores_keep_their_pictures_in_one_folder_and_both_come_back(tmp_path: Path) -> None:
    """Same product ids, same image ids, other pictures: neither takes the other's place."""
    async with (
        running(Config(store_hash="one", seed=1, **TWO)) as one,
        running(Config(store_hash="two", seed=2, **TWO)) as two,
    ):
        stores = {"one.jsonl": one, "two.jsonl": two}
        before = [look(await state(sandbox.url, digests=True)) for sandbox in stores.values()]
        assert before[0] != before[1]
        for name, sandbox in stores.items():
            manifest = emptied(tmp_path, 1, 2, name=name)
            assert (await imageferry.sync(access(sandbox), manifest, options(tmp_path, sandbox))).deleted == 4
        for name, sandbox in stores.items():
            assert (await undone(sandbox, tmp_path / name, options(tmp_path, sandbox))).outcome == "done"
        assert [look(await state(sandbox.url, digests=True)) for sandbox in stores.values()] == before
    kept = tmp_path / "kept"
    assert len(index(kept)) == 8
    assert all(is_whole(kept, row) for row in index(kept))


async def test_two_runs_at_once_never_write_over_each_others_pictures(tmp_path: Path) -> None:
    """The same images, served with other bytes each time they are asked for: each index line has its own bytes."""
    async with running(Config(latency=0.02, jitter=0.02, products=12, images=3, quota=None, fetch=False)) as sandbox:
        served, asked_for = sandbox.album.bytes_of, count()
        sandbox.album.bytes_of = lambda picture: served(picture) + b"%d" % next(asked_for)
        everything = imageferry.MaxDeletes(share=1.0)
        plain = imageferry.Options(max_deletes=everything, settle=0.5, backup=tmp_path / "kept")
        manifests = [emptied(tmp_path, *range(1, 13), name=name) for name in ("a.jsonl", "b.jsonl")]
        async with anyio.create_task_group() as tasks:
            for manifest, asked in zip(manifests, (plain, options(tmp_path, sandbox)), strict=True):
                tasks.start_soon(imageferry.sync, access(sandbox), manifest, asked)
    kept = tmp_path / "kept"
    rows = index(kept)
    assert {row["image_id"] for row in rows} == set(range(1, 37))
    assert {row["rendition"] for row in rows} == {"original", "largest"}
    assert all(is_whole(kept, row) for row in rows)
    assert not list(kept.rglob("*.new"))


@pytest.mark.parametrize("place", ["index.jsonl", "1", "STORE", "STORE/1", "STORE/1/1", "STORE/1/1/NAME"])
async def test_a_symbolic_link_below_the_folder_is_refused_before_anything_is_deleted(
    tmp_path: Path, place: str
) -> None:
    """A symbolic link in the backup folder ends the run with exit 6 before any write."""
    kept, elsewhere = tmp_path / "kept", tmp_path / "elsewhere"
    async with running(Config(**TWO)) as sandbox:
        asked = options(tmp_path, sandbox)
        await control(sandbox.url, "faults", [{"kind": "throttled", "status": 400, "methods": ["DELETE"]}])
        await imageferry.sync(access(sandbox), emptied(tmp_path, 1), asked)
        await control(sandbox.url, "faults", [])
        file = next(row["file"] for row in index(kept) if row["image_id"] == 1)
        parts = file.split("/")
        path = kept / place.replace("STORE/1/1/NAME", file).replace("STORE", parts[0])
        if path.exists():
            path.rename(elsewhere)
        else:
            elsewhere.mkdir()
        path.symlink_to(elsewhere)
        sent = len(writes(await log(sandbox.url)))
        with pytest.raises(errors.DiskError, match="symbolic link"):
            await imageferry.sync(access(sandbox), emptied(tmp_path, 1, 2), asked)
        assert len(writes(await log(sandbox.url))) == sent
        assert [len(gallery) for gallery in (await state(sandbox.url)).values()] == [2, 2]


async def test_an_undo_does_not_follow_a_symbolic_link_either(tmp_path: Path) -> None:
    """The kept pictures were moved away and linked to: exit 6, and nothing is written."""
    async with running(Config(**TWO)) as sandbox:
        asked, manifest = options(tmp_path, sandbox), emptied(tmp_path, 1)
        await imageferry.sync(access(sandbox), manifest, asked)
        folder = tmp_path / "kept" / index(tmp_path / "kept")[0]["file"].split("/")[0]
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
        sent = len(writes(await log(sandbox.url)))
        with pytest.raises(errors.DiskError, match="symbolic link"):
            await undone(sandbox, manifest, asked)
        assert len(writes(await log(sandbox.url))) == sent


async def test_a_folder_that_an_older_version_filled_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    """No store in its paths: undo takes the pictures from there, and what is kept from now on lies elsewhere."""
    kept = tmp_path / "kept"
    async with running(Config(**TWO)) as sandbox:
        asked, manifest = options(tmp_path, sandbox), emptied(tmp_path, 1)
        before = look(await state(sandbox.url, digests=True))
        await imageferry.sync(access(sandbox), manifest, asked)
        as_older_versions_did(kept)
        older = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
        assert (await undone(sandbox, manifest, asked)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == before
        await imageferry.sync(access(sandbox), emptied(tmp_path, 1, 2, name="n.jsonl"), asked)
        assert all(path.read_bytes().startswith(data) for path, data in older.items())
        assert (await undone(sandbox, tmp_path / "n.jsonl", asked)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == before


def as_older_versions_did(kept: Path) -> None:
    """The folder with its pictures at PRODUCT/IMAGE/NAME, and an index that says so."""
    rows = index(kept)
    for row in rows:
        file = f"{row['product_id']}/{row['image_id']}/{row['file'].rpartition('/')[2]}"
        (kept / file).parent.mkdir(parents=True, exist_ok=True)
        (kept / row["file"]).rename(kept / file)
        row["file"] = file
    (kept / "index.jsonl").write_bytes(b"".join(seal(row) for row in rows))


@pytest.mark.parametrize("torn", [b'{"store":"half a li', b"\0" * 40, b'"\n{"store":1}\n'])
async def test_a_line_that_another_run_was_killed_in_costs_no_other_line(tmp_path: Path, torn: bytes) -> None:
    """Whatever it left at the end of the index, what is kept before and after it comes back."""
    kept = tmp_path / "kept"
    async with running(Config(**TWO)) as sandbox:
        asked = options(tmp_path, sandbox)
        before = look(await state(sandbox.url, digests=True))
        for number, name in ((1, "a.jsonl"), (2, "b.jsonl")):
            await imageferry.sync(access(sandbox), emptied(tmp_path, number, name=name), asked)
            with (kept / "index.jsonl").open("ab") as file:
                file.write(torn)
        for name in ("a.jsonl", "b.jsonl"):
            assert (await undone(sandbox, tmp_path / name, asked)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == before
