"""A user and a password in an image's address: in the files that need them, and on no page and in no record."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from imageferry.jobs.sandbox.faults import Fault

if TYPE_CHECKING:
    from .rehearsal import Rehearsal

SECRET = "s3cret-pa55word"


def _manifest(store: Rehearsal, *more: dict[str, object], query: str = "") -> object:
    path = store.folder / "products.jsonl"
    image = {"image_file": f"https://shop:{SECRET}@pictures.example.com/a.jpg{query}", "sort_order": 0}
    rows = [{"product_id": 1, "images": [image]}, {"product_id": 999, "images": [image]}, *more]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("form", [[], ["-v"], ["--json"], ["-q"]], ids=lambda form: "".join(form) or "page")
def test_no_page_and_no_record_shows_them(store: Rehearsal, form: list[str]) -> None:
    """Plan, dry run, run with a failure, verify, status, undo: masked, with the host still shown."""
    manifest = _manifest(store)
    checkpoint = f"{manifest}.checkpoint.json"
    ended = [store.run(*words, *form) for words in (["plan", manifest], ["sync", "-n", manifest], ["verify", manifest])]
    ended.append(store.run("sync", manifest, *form))
    assert ended[-1].code == 1
    ended += [store.run("status", checkpoint, *form), store.run("verify", manifest, *form)]
    ended.append(store.run("undo", checkpoint, "--yes", *form))
    for each in ended:
        assert SECRET not in each.out + each.err
        assert "shop:" not in each.out + each.err
    if form != ["-q"]:
        assert any("https://***@pictures.example.com/a.jpg" in each.out + each.err for each in ended)
    sent = [entry.body["image_file"] for entry in store.sandbox.log if entry.method == "POST"]
    assert all(SECRET in name for name in sent)


def test_a_refusal_in_the_stores_own_words_is_masked(store: Rehearsal) -> None:
    """The store names the address that it could not fetch."""
    store.sandbox.config.fetch = True
    store.sandbox.play(Fault("slow", delay=0, methods=("POST",)))
    path = store.folder / "products.jsonl"
    address = f"http://shop:{SECRET}@127.0.0.1:9/a.jpg"
    path.write_text(json.dumps({"product_id": 1, "images": [{"image_file": address}]}) + "\n")
    ended = store.run("sync", path, "--json")
    assert ended.record["failures"][0]["status"] == 400
    assert SECRET not in ended.out + ended.err


@pytest.mark.parametrize(
    "image",
    [
        {"image_file": f"https://shop:{SECRET}@pictures.example.com/" + "a" * 300},
        {"image_file": f"https://shop:{SECRET}@pictures.example.com/a.jpg", "sort_order": "x"},
        {"image_file": f"https://{'u' * 60}:{SECRET}@pictures.example.com/a\tb.jpg"},
        {"image_file": f"https://shop:{SECRET}@pictures.example.com:port/a.jpg"},
    ],
    ids=["long", "field", "cut", "port"],
)
def test_a_fault_of_the_manifest_shows_none(store: Rehearsal, image: dict[str, object]) -> None:
    """Masked before it is cut short."""
    path = store.folder / "products.jsonl"
    path.write_text(json.dumps({"product_id": 1, "images": [image]}) + "\n")
    for form in ([], ["--json"]):
        ended = store.run("plan", path, *form)
        assert ended.code == 2
        assert SECRET[:6] not in ended.out + ended.err


def test_every_file_that_holds_them_is_its_owners_alone(store: Rehearsal) -> None:
    """The plan, the checkpoint and all beside it, also where an older file of that name was open to others."""
    manifest = _manifest(store)
    own = ["plan", "checkpoint.json", "checkpoint.json.plan", "checkpoint.json.journal", "checkpoint.json.failed.jsonl"]
    for name in own[:1] + own[2:]:
        path = store.folder / f"products.jsonl.{name}"
        path.write_bytes(b"")
        path.chmod(0o666)
    store.run("plan", manifest)
    store.run("plan", manifest, "-o", store.folder / "other.plan")
    store.run("sync", manifest)
    store.run("sync", _manifest(store, query="?v=2"), "--limit", "1")
    for path in store.folder.iterdir():
        if path.name != "products.jsonl":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
