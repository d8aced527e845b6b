"""What it writes it reads: exports in every format, and checkpoints that were copied without their parts."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from .rehearsal import Rehearsal, rehearsing

if TYPE_CHECKING:
    from pathlib import Path

URL = ("--storefront-url", "https://shop.example.com")


@pytest.fixture
def filled(tmp_path: Path) -> Rehearsal:
    """A store with descriptions that are hard to write down."""
    with rehearsing(tmp_path) as store:
        store.run("sync", store.write({1: 2, 3: 1}, description='of "steel",\n=1+1;\tblank '))
        yield store


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz", "e.ndjson", "e.json", "e", "e.csv", "e.csv.gz"])
def test_an_export_of_any_format_is_planned_as_nothing_to_do(filled: Rehearsal, name: str) -> None:
    """Its name says what it is, and both sides keep to that."""
    written = filled.folder / name
    result = filled.run("export", "-o", written, "--json", *URL)
    assert (result.code, result.record["wanted"]) == (0, 3)
    planned = filled.run("plan", written, "--json").record
    assert (planned["outcome"], planned["wanted"], planned["unchanged"]) == ("done", 3, 3)
    assert planned["creates"] + planned["updates"] + planned["deletes"] == 0


def test_the_name_decides_what_an_export_is(filled: Rehearsal) -> None:
    """`.gz` is gzip, `.csv` has a header; an ending of another format is refused before anything is asked of the store."""
    filled.run("export", "-o", filled.folder / "e.jsonl.gz", *URL)
    lines = gzip.decompress((filled.folder / "e.jsonl.gz").read_bytes()).splitlines()
    assert [json.loads(line)["product_id"] for line in lines] == [1, 3]
    filled.run("export", "-o", filled.folder / "e.csv", *URL)
    assert (filled.folder / "e.csv").read_bytes().startswith(b"product_id,image_file,description,")
    calls = len(filled.sandbox.log)
    for name in ("e.xlsx", "e.tsv", "e.jsonl.bz2"):
        refused = filled.run("export", "-o", filled.folder / name, "--json")
        assert (refused.code, refused.record["outcome"]) == (2, "invalid")
        assert ".csv" in refused.err
        assert not (filled.folder / name).exists()
    assert len(filled.sandbox.log) == calls


def test_an_export_of_fewer_images_than_are_counted_exits_1_and_says_so(tmp_path: Path) -> None:
    """30 images are listed, the store counts 60 before and afterwards: what was written is there, and is not called whole."""
    with rehearsing(tmp_path, images=3, products=10, list_lag=3600.0) as store:
        added = store.write(dict.fromkeys(range(1, 11), 3))
        store.run("migrate", added, "--settle", "0.1")
        written = store.folder / "e.jsonl"
        result = store.run("export", "-o", written)
        assert (result.code, len(written.read_text().splitlines())) == (1, 10)
        assert "60 images" in result.err
        assert "30 were exported" in result.err
        assert store.run("export", "-o", written, "--json").record["outcome"] == "failed"
        quiet = store.run("export", "-q", "-o", written)
        assert quiet.code == 1
        assert "60" in quiet.err


def _moved(store: Rehearsal, *suffixes: str) -> Path:
    """A copy of the checkpoint in another folder, with only these of its parts."""
    folder = store.folder / "copy"
    folder.mkdir(exist_ok=True)
    for suffix in ("", *suffixes):
        name = f"products.jsonl.checkpoint.json{suffix}"
        shutil.copy(store.folder / name, folder / name)
    return folder / "products.jsonl.checkpoint.json"


def test_an_undo_names_the_part_that_a_copied_checkpoint_lacks(store: Rehearsal) -> None:
    """History, or half of it: exit code 2, the file's name, nothing sent; whole it can be undone. A quiet night changes nothing."""
    manifest = store.write({1: 1})
    store.run("sync", manifest)
    for _ in range(2):
        for suffixes, missing in (
            ((), ".history.journal"),
            ((".history.plan",), ".history.journal"),
            ((".history.journal",), ".history.plan"),
        ):
            copied = _moved(store, *suffixes)
            result = store.run("undo", copied, "--yes", "--json")
            assert (result.code, result.record["outcome"]) == (2, "invalid"), suffixes
            assert f"{copied.name}{missing}" in result.err
            shutil.rmtree(copied.parent)
        store.run("sync", manifest)
    copied = _moved(store)
    assert ".history.journal" in store.run("status", copied).out
    copied = _moved(store, ".history.plan", ".history.journal")
    assert ".history" not in store.run("status", copied).out
    assert store.run("undo", copied, "--yes").code == 0
    assert store.sandbox.shop.catalogue.total_images == 0


def test_a_checkpoint_that_never_changed_anything_still_has_nothing_to_undo(store: Rehearsal) -> None:
    """No part of it is missing then."""
    manifest = store.write({1: 0})
    store.run("sync", manifest)
    result = store.run("undo", f"{manifest}.checkpoint.json", "--yes")
    assert result.code == 2
    assert "nothing to undo" in result.err


def test_status_names_the_plan_that_an_unfinished_run_lacks(store: Rehearsal) -> None:
    """Its journal was copied without it."""
    from imageferry.jobs.sandbox.faults import Fault

    from .rehearsal import until

    store.sandbox.play(Fault("hang", path="/2/images", methods=("POST",)))
    with store.started("sync", store.write({1: 1, 2: 1})) as run:
        until(lambda: any(entry.method == "POST" and "/2/" in entry.path for entry in store.sandbox.log))
        run.kill()
    folder = store.folder / "copy"
    folder.mkdir()
    name = "products.jsonl.checkpoint.json"
    shutil.copy(store.folder / f"{name}.journal", folder / f"{name}.journal")
    result = store.run("status", folder / name)
    assert result.code == 0
    assert f"{name}.plan" in result.out


def test_a_plan_is_not_written_under_a_name_that_calls_it_packed(store: Rehearsal) -> None:
    """Refused before anything is asked of the store; the plan of a gzipped manifest bears its own ending."""
    manifest = store.write({1: 1})
    refused = store.run("plan", manifest, "-o", store.folder / "p.plan.gz", "--json")
    assert (refused.code, refused.record["outcome"]) == (2, "invalid")
    assert not store.sandbox.log
    packed = store.folder / "m.jsonl.gz"
    packed.write_bytes(gzip.compress(manifest.read_bytes()))
    planned = store.run("plan", packed, "--json").record
    assert planned["plan"].endswith("m.jsonl.gz.plan")
    assert store.run("apply", planned["plan"]).code == 0


def test_the_manifest_of_what_failed_is_read_back_equal(store: Rehearsal) -> None:
    """The products that failed, whole: every field of theirs, from either format of the manifest."""
    store.sandbox.config.fetch = True
    row = {
        "product_id": 1,
        "images": [
            {
                "image_file": "http://127.0.0.1:9/a,b.jpg",
                "description": 'of "steel",\nnew',
                "sort_order": -3,
                "is_thumbnail": True,
                "version": "7",
            },
            {"image_file": "http://127.0.0.1:9/c.jpg", "description": ""},
        ],
    }
    lines = store.folder / "m.jsonl"
    lines.write_text(json.dumps(row) + "\n")
    failed = store.run("migrate", lines, "--json").record["failed_manifest"]
    with open(failed, encoding="utf-8") as file:
        assert [json.loads(line) for line in file] == [row]
    planned = store.run("plan", failed, "--json").record
    assert (planned["outcome"], planned["wanted"], planned["creates"]) == ("done", 2, 2)
