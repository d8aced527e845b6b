"""Undo: a run taken back, picture by picture, judged by the store's own state."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

import engine
from engine.core import errors
from jobs.sandbox import Config, Sandbox, running

from ..market import control, lines, log, manifest_for, state, writes

if TYPE_CHECKING:
    from pathlib import Path


def access(sandbox: Sandbox) -> engine.Access:
    return engine.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


async def yes(_: engine.Proposal) -> bool:
    return True


async def no(_: engine.Proposal) -> bool:
    return False


def options(tmp_path: Path, sandbox: Sandbox, **more: Any) -> engine.Options:
    everything = engine.MaxDeletes(share=1.0)
    return engine.Options(
        max_deletes=everything, settle=0.5, backup=tmp_path / "kept", storefront_url=sandbox.url, **more
    )


def look(galleries: dict[int, list[dict[str, Any]]]) -> dict[int, list[tuple[Any, ...]]]:
    """What a shopper sees: pictures by their bytes, texts and the thumbnail, in order; sort orders by their ranks."""
    return {
        product_id: [
            (image["sha256"], image["description"] or "", image["is_thumbnail"])
            for image in sorted(gallery, key=lambda image: (image["sort_order"], image["image_id"]))
        ]
        for product_id, gallery in galleries.items()
    }


def mixed(seed: int) -> list[dict[str, Any]]:
    """Creates, updates, reorders, deletes, and replacements by version."""
    chance = random.Random(seed)
    rows = manifest_for(25, 4, seed=seed)
    for row in rows:
        for image in row["images"]:
            if chance.random() < 0.2:
                image["version"] = "2"
    return rows


@pytest.mark.parametrize("renumber", ["none", "raised", "always"])
async def test_undo_gives_the_former_state_back_picture_by_picture(tmp_path: Path, renumber: str) -> None:
    """A mixed run with replacements, taken back: bytes, texts, order and thumbnails as they were."""
    manifest = tmp_path / "m.jsonl"
    checkpoint = tmp_path / "m.jsonl.checkpoint.json"
    async with running(Config(products=25, images=4, quota=None, fetch=False, renumber=renumber)) as sandbox:
        asked = options(tmp_path, sandbox)
        first = manifest_for(25, 4, seed=1)
        for row in first:
            for image in row["images"]:
                image["version"] = "1"
        manifest.write_bytes(lines(first))
        assert (await engine.sync(access(sandbox), manifest, asked)).outcome == "done"
        before = await state(sandbox.url, digests=True)
        manifest.write_bytes(lines(mixed(2)))
        report = await engine.sync(access(sandbox), manifest, asked)
        assert report.outcome == "done", report.failures
        assert min(report.created, report.updated, report.deleted) > 0

        undone = await engine.undo(access(sandbox), checkpoint, asked, approve=yes)
        assert undone.outcome == "done", undone.failures
        assert look(await state(sandbox.url, digests=True)) == look(before)

        again = len(writes(await log(sandbox.url)))
        assert (await engine.undo(access(sandbox), checkpoint, asked, approve=yes)).outcome == "done"
        assert len(writes(await log(sandbox.url))) == again
        redone = await engine.sync(access(sandbox), manifest, asked)
        assert redone.outcome == "done", redone.failures


@pytest.mark.parametrize("renumber", ["none", "raised", "always"])
async def test_creates_that_moved_their_siblings_are_taken_back_without_taking_them_for_strangers_moves(
    tmp_path: Path, renumber: str
) -> None:
    """On a store seen to move siblings on POST nobody looks after creates; undo knows where they left the others."""
    manifest = tmp_path / "m.jsonl"
    config = Config(products=1, images=0, quota=None, renumber=renumber, renumber_on_create=True, fetch=False)
    async with running(config) as sandbox:
        asked = options(tmp_path, sandbox)
        for asked_for in ({"a": 5, "b": 6}, {"c": 0, "a": 5, "b": 6}, {"d": 0, "c": 1, "e": 2, "a": 7, "b": 8}):
            before = await state(sandbox.url, digests=True)
            images = [{"image_file": f"https://x.example/{n}.jpg", "sort_order": k} for n, k in asked_for.items()]
            manifest.write_bytes(lines([{"product_id": 1, "images": images}]))
            calls = len(sandbox.log)
            assert (await engine.sync(access(sandbox), manifest, asked)).outcome == "done"
        assert [each.method for each in list(sandbox.log)[calls:] if "/1/images" in each.path] == [
            "GET",
            "POST",
            "POST",
        ]
        undone = await engine.undo(access(sandbox), tmp_path / "m.jsonl.checkpoint.json", asked, approve=yes)
        assert (undone.outcome, undone.failures, undone.deleted) == ("done", [], 2)
        assert look(await state(sandbox.url, digests=True)) == look(before)


async def test_an_undo_that_is_not_approved_writes_nothing(tmp_path: Path) -> None:
    """The plan is shown first; no is exit 3."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(10, 3)))
    async with running(Config(products=10, images=3, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        await engine.sync(access(sandbox), manifest, asked)
        before = len(writes(await log(sandbox.url)))
        with pytest.raises(errors.UnsafePlanError, match="not approved"):
            await engine.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=no)
        assert len(writes(await log(sandbox.url))) == before


async def test_undo_leaves_alone_and_names_what_somebody_changed_since(tmp_path: Path) -> None:
    """An image that a person added stays, a text that a person wrote stays and is named."""
    manifest = tmp_path / "m.jsonl"
    images = [
        {"image_file": "https://x.example/product-1-1.jpg", "description": "ours"},
        {"image_file": "https://x.example/product-1-2.jpg"},
        {"image_file": "https://x.example/new-1-1.jpg", "description": "ours too"},
    ]
    manifest.write_bytes(lines([{"product_id": 1, "images": images}]))
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        await engine.sync(access(sandbox), manifest, asked)
        mine = {"image_file": "https://x.example/mine.png"}
        await control(sandbox.url, "edit", {"method": "POST", "path": "/products/1/images", "body": mine})
        text = {"description": "a person's"}
        await control(sandbox.url, "edit", {"method": "PUT", "path": "/products/1/images/1", "body": text})
        report = await engine.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)
        gallery = (await state(sandbox.url))[1]
        assert report.outcome == "failed"
        assert [(failure.image_id, failure.reason) for failure in report.failures] == [
            (1, "description: somebody changed it since the run; it was left alone")
        ]
        assert [image["description"] for image in gallery] == ["a person's", "View 2", None] or [
            image["description"] for image in gallery
        ] == ["a person's", "View 2", ""]


async def test_a_delete_whose_picture_cannot_be_kept_does_not_happen(tmp_path: Path) -> None:
    """No backup, no delete: the image fails, all else is done."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": 1, "images": []}, {"product_id": 2, "images": []}]))
    async with running(Config(products=2, images=2, quota=None, fetch=False)) as sandbox:
        asked = engine.Options(max_deletes=engine.MaxDeletes(share=1.0), backup=tmp_path / "kept")
        sandbox.album.bytes_of = _gone_for_product_1(sandbox.album.bytes_of)
        report = await engine.sync(access(sandbox), manifest, asked)
        galleries = await state(sandbox.url)
        assert report.outcome == "failed"
        assert (len(galleries[1]), len(galleries[2])) == (2, 0)
        assert "not deleted" in report.failures[0].reason


def _gone_for_product_1(bytes_of):
    """A store whose pictures 1 and 2 are no pictures any more."""
    return lambda picture: b"gone" if picture in {"made:0/1", "made:0/2"} else bytes_of(picture)


async def test_a_picture_without_a_backup_is_said_before_to_be_lost(tmp_path: Path) -> None:
    """What can't come back exactly is in the notes before anything is written."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": 1, "images": []}]))
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        everything = engine.Options(max_deletes=engine.MaxDeletes(share=1.0))
        await engine.sync(access(sandbox), manifest, everything)
        shown: list[str] = []

        async def read(proposal: engine.Proposal) -> bool:
            shown.extend(proposal.report.notes)
            return True

        await engine.undo(access(sandbox), f"{manifest}.checkpoint.json", everything, approve=read)
        assert any("image 1 of product 1 can't come back" in sentence for sentence in shown)
