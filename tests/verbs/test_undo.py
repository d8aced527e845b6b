"""Undo: a run taken back, picture by picture, judged by the store's own state."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

import imageferry
from imageferry.core import errors
from imageferry.jobs.sandbox import Config, Sandbox, running
from imageferry.jobs.sandbox.shop.rules import Draft

from ..market import control, lines, log, manifest_for, plain, state, writes


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


async def yes(_: imageferry.Proposal) -> bool:
    return True


async def no(_: imageferry.Proposal) -> bool:
    return False


def options(tmp_path: Path, sandbox: Sandbox, **more: Any) -> imageferry.Options:
    everything = imageferry.MaxDeletes(share=1.0)
    return imageferry.Options(
        max_deletes=everything, settle=0.5, backup=tmp_path / "kept", storefront_url=sandbox.url, **more
    )


FRESH = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5, fresh=True)
"""Gives up an undo that was broken off."""
OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5)


def look(galleries: dict[int, list[dict[str, Any]]]) -> dict[int, list[tuple[Any, ...]]]:
    """What a shopper sees: pictures by their bytes, texts and the thumbnail, in order; sort orders by their ranks."""
    return {
        product_id: [
            (image["sha256"], image["description"] or "", image["is_thumbnail"])
            for image in sorted(gallery, key=lambda image: (image["sort_order"], image["image_id"]))
        ]
        for product_id, gallery in galleries.items()
    }


def versioned(seed: int) -> list[dict[str, Any]]:
    """25 products whose images all are of version 1."""
    rows = manifest_for(25, 4, seed=seed)
    for row in rows:
        for image in row["images"]:
            image["version"] = "1"
    return rows


def mixed(seed: int) -> list[dict[str, Any]]:
    """Creates, updates, reorders, deletes, and replacements by version."""
    chance = random.Random(seed)
    rows = manifest_for(25, 4, seed=seed)
    for row in rows:
        for image in row["images"]:
            if chance.random() < 0.2:
                image["version"] = "2"
    return rows


@pytest.mark.parametrize("on_create", [False, True], ids=["", "on create, too"])
@pytest.mark.parametrize("renumber", ["none", "raised", "always"])
async def test_undo_gives_the_former_state_back_picture_by_picture(
    tmp_path: Path, renumber: str, *, on_create: bool
) -> None:
    """A mixed run with replacements, taken back: bytes, texts, order and thumbnails as they were."""
    manifest = tmp_path / "m.jsonl"
    checkpoint = tmp_path / "m.jsonl.checkpoint.json"
    config = Config(products=25, images=4, quota=None, fetch=False, renumber=renumber, renumber_on_create=on_create)
    async with running(config) as sandbox:
        asked = options(tmp_path, sandbox)
        manifest.write_bytes(lines(versioned(1)))
        assert (await imageferry.sync(access(sandbox), manifest, asked)).outcome == "done"
        before = await state(sandbox.url, digests=True)
        manifest.write_bytes(lines(mixed(2)))
        report = await imageferry.sync(access(sandbox), manifest, asked)
        assert report.outcome == "done", report.failures
        assert min(report.created, report.updated, report.deleted) > 0

        undone = await imageferry.undo(access(sandbox), checkpoint, asked, approve=yes)
        assert undone.outcome == "done", undone.failures
        assert look(await state(sandbox.url, digests=True)) == look(before)

        again = len(writes(await log(sandbox.url)))
        assert (await imageferry.undo(access(sandbox), checkpoint, asked, approve=yes)).outcome == "done"
        assert len(writes(await log(sandbox.url))) == again
        redone = await imageferry.sync(access(sandbox), manifest, asked)
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
            assert (await imageferry.sync(access(sandbox), manifest, asked)).outcome == "done"
        assert [each.method for each in list(sandbox.log)[calls:] if "/1/images" in each.path] == [
            "GET",
            "POST",
            "POST",
        ]
        undone = await imageferry.undo(access(sandbox), tmp_path / "m.jsonl.checkpoint.json", asked, approve=yes)
        assert (undone.outcome, undone.failures, undone.deleted) == ("done", [], 2)
        assert look(await state(sandbox.url, digests=True)) == look(before)


async def test_an_undo_that_is_not_approved_writes_nothing(tmp_path: Path) -> None:
    """The plan is shown first; no is exit 3."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(10, 3)))
    async with running(Config(products=10, images=3, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        await imageferry.sync(access(sandbox), manifest, asked)
        before = len(writes(await log(sandbox.url)))
        with pytest.raises(errors.UnsafePlanError, match="not approved"):
            await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=no)
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
        await imageferry.sync(access(sandbox), manifest, asked)
        mine = {"image_file": "https://x.example/mine.png"}
        await control(sandbox.url, "edit", {"method": "POST", "path": "/products/1/images", "body": mine})
        text = {"description": "a person's"}
        await control(sandbox.url, "edit", {"method": "PUT", "path": "/products/1/images/1", "body": text})
        report = await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)
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
        asked = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), backup=tmp_path / "kept")
        sandbox.album.bytes_of = _gone_for_product_1(sandbox.album.bytes_of)
        report = await imageferry.sync(access(sandbox), manifest, asked)
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
        everything = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0))
        await imageferry.sync(access(sandbox), manifest, everything)
        shown: list[str] = []

        async def read(proposal: imageferry.Proposal) -> bool:
            shown.extend(proposal.report.notes)
            return True

        await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", everything, approve=read)
        assert any("image 1 of product 1 can't come back" in sentence for sentence in shown)


def sources(gallery: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Manifest rows that name the images of a gallery, and ask nothing of them."""
    return [{"image_file": f"https://x.example/{plain(image['image_file'])}"} for image in gallery]


async def edit(sandbox: Sandbox, method: str, path: str, **body: Any) -> None:
    """What a person does in the shop."""
    await control(sandbox.url, "edit", {"method": method, "path": path, "body": body})


def made(gallery: list[dict[str, Any]]) -> int:
    """The image that the run made."""
    return next(image["image_id"] for image in gallery if "new" in image["image_file"])


@pytest.mark.parametrize(
    ("asked", "change"),
    [
        ({}, {"description": "by hand"}),
        ({"description": "d"}, {"image_file": "https://x.example/another.jpg"}),
        ({}, {"is_thumbnail": True}),
        ({"sort_order": 9}, {"sort_order": 1}),
    ],
    ids=["text", "picture", "thumbnail", "place"],
)
async def test_a_made_image_that_somebody_touched_since_stays(
    tmp_path: Path, asked: dict[str, Any], change: dict[str, Any]
) -> None:
    """Whatever a person did to it, undo names it and leaves it as they made it."""
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=1, images=3, quota=None, fetch=False)) as sandbox:
        before = (await state(sandbox.url))[1]
        rows = [*sources(before), {"image_file": "https://x.example/new.jpg", **asked}]
        manifest.write_bytes(lines([{"product_id": 1, "images": rows}]))
        await imageferry.sync(access(sandbox), manifest, options(tmp_path, sandbox))
        image_id = made((await state(sandbox.url))[1])
        await edit(sandbox, "PUT", f"/products/1/images/{image_id}", **change)
        theirs = (await state(sandbox.url))[1]
        report = await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", OPEN, approve=yes)
        assert (report.outcome, [failure.image_id for failure in report.failures]) == ("failed", [image_id])
        assert (await state(sandbox.url))[1] == theirs


async def test_an_unmanaged_image_that_somebody_moved_since_stays_where_they_put_it(tmp_path: Path) -> None:
    """The run swapped two others: their order is not restored over a person's, and the image is named."""
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=1, images=3, quota=None, fetch=False)) as sandbox:
        first, second, third = sources((await state(sandbox.url))[1])
        rows = [{**first, "sort_order": 5}, {**second, "sort_order": 0}, third]
        manifest.write_bytes(lines([{"product_id": 1, "images": rows}]))
        await imageferry.sync(access(sandbox), manifest, options(tmp_path, sandbox))
        await edit(sandbox, "PUT", "/products/1/images/3", sort_order=9)
        theirs = (await state(sandbox.url))[1]
        report = await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", OPEN, approve=yes)
        assert [failure.image_id for failure in report.failures] == [3]
        assert (await state(sandbox.url))[1] == theirs


async def test_what_somebody_changes_while_undo_asks_is_left_alone(tmp_path: Path) -> None:
    """Each product is listed once more right before its first write."""
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        rows = [*sources((await state(sandbox.url))[1]), {"image_file": "https://x.example/new.jpg"}]
        manifest.write_bytes(lines([{"product_id": 1, "images": rows}]))
        await imageferry.sync(access(sandbox), manifest, options(tmp_path, sandbox))
        image_id = made((await state(sandbox.url))[1])

        async def slowly(_: imageferry.Proposal) -> bool:
            await edit(sandbox, "PUT", f"/products/1/images/{image_id}", description="by hand")
            return True

        report = await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", OPEN, approve=slowly)
        assert report.outcome == "failed"
        assert [i["description"] for i in (await state(sandbox.url))[1] if i["image_id"] == image_id] == ["by hand"]


async def test_a_mistyped_backup_folder_is_refused_and_the_right_one_still_serves(tmp_path: Path) -> None:
    """Exit 2 before anything is written; without any folder the undo fails and can be given again with it."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": 1, "images": []}]))
    checkpoint = f"{manifest}.checkpoint.json"
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        before = await state(sandbox.url, digests=True)
        await imageferry.sync(access(sandbox), manifest, asked)
        wrong = imageferry.Options(settle=0.5, backup=tmp_path / "kpt")
        with pytest.raises(errors.SettingsError, match="there is no backup in it"):
            await imageferry.undo(access(sandbox), checkpoint, wrong, approve=yes)
        assert not (tmp_path / "kpt").exists()
        without = await imageferry.undo(access(sandbox), checkpoint, OPEN, approve=yes)
        assert (without.outcome, {failure.image_id for failure in without.failures}) == ("failed", {1, 2})
        assert (await imageferry.undo(access(sandbox), checkpoint, asked, approve=yes)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(before)


@pytest.mark.parametrize("harm", ["gone", "cut"])
async def test_a_kept_picture_that_is_not_whole_any_more_is_kept_again_before_its_image_goes(
    tmp_path: Path, harm: str
) -> None:
    """The index alone is no backup: the first night's delete was refused, and its picture has been lost since."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": 1, "images": []}]))
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        before = await state(sandbox.url, digests=True)
        await control(sandbox.url, "faults", [{"kind": "throttled", "status": 400, "methods": ["DELETE"]}])
        assert (await imageferry.sync(access(sandbox), manifest, asked)).outcome == "failed"
        await control(sandbox.url, "faults", [])
        picture = next((tmp_path / "kept").glob("*/1/2/*"))
        picture.write_bytes(picture.read_bytes()[:50])
        if harm == "gone":
            picture.unlink()
        assert (await imageferry.sync(access(sandbox), manifest, asked)).outcome == "done"
        assert (
            await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)
        ).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(before)


async def test_what_somebody_adds_while_pictures_are_kept_is_not_deleted(tmp_path: Path) -> None:
    """Pictures are kept first; delete-many follows the listing that allows it at once."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": 1, "images": []}]))
    async with running(Config(products=1, images=3, quota=None, fetch=False)) as sandbox:
        served = sandbox.album.bytes_of

        def adding(picture: str) -> bytes:
            if not sandbox.shop.catalogue.open(1).images[3:]:
                sandbox.shop.create(1, Draft(name="theirs.jpg", description="theirs"), 0.0)
            return served(picture)

        sandbox.album.bytes_of = adding
        report = await imageferry.sync(access(sandbox), manifest, options(tmp_path, sandbox))
        assert [image["description"] for image in (await state(sandbox.url))[1]] == ["theirs"]
        assert (report.deleted, report.outcome) == (3, "failed")


async def test_pictures_come_back_under_the_names_that_manifests_know(tmp_path: Path) -> None:
    """After an undo the former manifest verifies, and a migrate by it makes nothing."""
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=2, images=3, quota=None, fetch=False)) as sandbox:
        good = [
            {"product_id": number, "images": sources(gallery)} for number, gallery in (await state(sandbox.url)).items()
        ]
        manifest.write_bytes(lines([{**row, "images": row["images"][:1]} for row in good]))
        asked = options(tmp_path, sandbox)
        await imageferry.sync(access(sandbox), manifest, asked)
        await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)
        manifest.write_bytes(lines(good))
        assert (await imageferry.verify(access(sandbox), manifest, asked)).outcome == "done"
        assert (await imageferry.migrate(access(sandbox), manifest, asked)).created == 0


async def test_a_replacement_that_was_taken_back_is_replaced_again_by_the_same_manifest(tmp_path: Path) -> None:
    """The checkpoint learns under which id the old version stands now."""
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=1, images=1, quota=None, fetch=False)) as sandbox:
        (row,) = sources((await state(sandbox.url))[1])
        asked = options(tmp_path, sandbox)
        for version in ("1", "2"):
            manifest.write_bytes(lines([{"product_id": 1, "images": [{**row, "version": version}]}]))
            await imageferry.sync(access(sandbox), manifest, asked)
        await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)
        again = await imageferry.sync(access(sandbox), manifest, asked)
        assert (again.created, again.deleted) == (1, 1)


@pytest.mark.parametrize("more", [{}, {"renumber_on_create": True}, {"promote_after_delete": True}], ids=str)
async def test_images_of_one_sort_order_come_back_in_their_order(tmp_path: Path, more: dict[str, Any]) -> None:
    """Three at 0 (the store's default), the first dropped by a run that manages no order: it comes back first."""
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=1, images=0, quota=None, fetch=False, **more)) as sandbox:
        for number in range(3):
            body = {"image_file": f"https://x.example/p{number}.jpg", "sort_order": 0}
            await edit(sandbox, "POST", "/products/1/images", **body)
        before = await state(sandbox.url, digests=True)
        manifest.write_bytes(lines([{"product_id": 1, "images": sources(before[1])[1:]}]))
        asked = options(tmp_path, sandbox)
        await imageferry.sync(access(sandbox), manifest, asked)
        report = await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)
        assert (report.outcome, report.failures) == ("done", [])
        assert look(await state(sandbox.url, digests=True)) == look(before)


async def test_a_product_that_cannot_be_listed_is_a_failure_and_not_an_empty_gallery(tmp_path: Path) -> None:
    """Nothing of it is written, and it can be taken back by the same command later."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": 1, "images": []}]))
    checkpoint = f"{manifest}.checkpoint.json"
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        before = await state(sandbox.url, digests=True)
        await imageferry.sync(access(sandbox), manifest, asked)
        fault = {"kind": "throttled", "status": 400, "methods": ["GET"], "path": "products/1/images"}
        await control(sandbox.url, "faults", [fault])
        report = await imageferry.undo(access(sandbox), checkpoint, asked, approve=yes)
        assert (report.outcome, report.created) == ("failed", 0)
        assert "can't be listed" in report.failures[0].reason
        await control(sandbox.url, "faults", [])
        assert (await imageferry.undo(access(sandbox), checkpoint, asked, approve=yes)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(before)


async def test_the_renditions_that_were_kept_are_told(tmp_path: Path) -> None:
    """Without --storefront-url it is the largest ones, and the report says so."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": 1, "images": []}]))
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        asked = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), backup=tmp_path / "kept")
        report = await imageferry.sync(access(sandbox), manifest, asked)
        (note,) = [note for note in report.notes if "backed up to" in note]
        assert "0 originals, 2 largest renditions (originals need --storefront-url)" in note


async def until(sandbox: Sandbox, calls: int, stop: imageferry.Stop) -> None:
    """Ask a run to stop once so many writes have come."""
    while sum(entry.method != "GET" for entry in sandbox.log) < calls:
        await anyio.sleep(0.005)
    stop.stop("told to")


def described(count: int, text: str) -> bytes:
    """A manifest that gives the first image of each product a text."""
    return lines(
        [
            {"product_id": n, "images": [{"image_file": f"https://x.example/product-{n}-1.jpg", "description": text}]}
            for n in range(1, count + 1)
        ]
    )


async def test_an_undo_of_an_earlier_run_is_not_gone_on_with_for_a_later_one(tmp_path: Path) -> None:
    """Broken off, then another run: the undo that follows takes that one back, to where it found the store."""
    manifest, checkpoint = tmp_path / "m.jsonl", tmp_path / "m.jsonl.checkpoint.json"
    async with running(Config(products=6, images=1, quota=None, fetch=False, latency=0.02)) as sandbox:
        manifest.write_bytes(described(6, "A"))
        await imageferry.sync(access(sandbox), manifest, OPEN)
        stop, one = imageferry.Stop(), imageferry.Options(settle=0.5, concurrency=1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until, sandbox, 6 + 3, stop)
            await imageferry.undo(access(sandbox), checkpoint, one, approve=yes, stop=stop)
        before = look(await state(sandbox.url, digests=True))
        manifest.write_bytes(described(6, "B"))
        await imageferry.sync(access(sandbox), manifest, FRESH)
        report = await imageferry.undo(access(sandbox), checkpoint, OPEN, approve=yes)
        assert (report.outcome, look(await state(sandbox.url, digests=True))) == ("done", before)


async def test_a_run_of_which_part_was_taken_back_is_begun_anew(tmp_path: Path) -> None:
    """Broken off, an undo broken off after it, the command again: what was undone is done again, nothing is believed done."""
    manifest, checkpoint = tmp_path / "m.jsonl", tmp_path / "m.jsonl.checkpoint.json"
    manifest.write_bytes(described(8, "A"))
    one = imageferry.Options(settle=0.5, concurrency=1)
    async with running(Config(products=8, images=1, quota=None, fetch=False, latency=0.02)) as sandbox:
        for calls, run in ((4, imageferry.sync), (4 + 3, partial(imageferry.undo, approve=yes))):
            stop = imageferry.Stop()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(until, sandbox, calls, stop)
                await run(access(sandbox), manifest if run is imageferry.sync else checkpoint, one, stop=stop)
        assert (await imageferry.sync(access(sandbox), manifest, FRESH)).outcome == "done"
        assert (await imageferry.verify(access(sandbox), manifest, OPEN)).outcome == "done"


async def test_a_plan_that_was_taken_back_is_not_taken_for_carried_out(tmp_path: Path) -> None:
    """`apply` looks at the products again, and says that they have changed."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(described(2, "A"))
    async with running(Config(products=2, images=1, quota=None, fetch=False)) as sandbox:
        proposal = await imageferry.plan(access(sandbox), manifest, OPEN)
        await imageferry.apply(access(sandbox), str(proposal.plan), OPEN)
        await edit(sandbox, "PUT", "/products/1/images/1", description="theirs")
        assert (
            await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", OPEN, approve=yes)
        ).outcome == "failed"
        again = await imageferry.apply(access(sandbox), str(proposal.plan), OPEN)
        assert (again.outcome, {failure.product_id for failure in again.failures}) == ("failed", {1})
        assert [image["description"] for image in (await state(sandbox.url))[2]] == ["A"]


async def test_a_half_listing_after_the_run_does_not_take_the_place_of_its_history(tmp_path: Path) -> None:
    """The next sync dies while it lists; an undo that fails in part can still be given again."""
    manifest, checkpoint = tmp_path / "m.jsonl", tmp_path / "m.jsonl.checkpoint.json"
    manifest.write_bytes(lines([{"product_id": 1, "images": []}]))
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        before = await state(sandbox.url, digests=True)
        await imageferry.sync(access(sandbox), manifest, asked)
        proposal = await imageferry.plan(access(sandbox), manifest, asked)
        half = Path(str(proposal.plan)).read_bytes().splitlines(keepends=True)[:-1]
        checkpoint.with_name(checkpoint.name + ".plan").write_bytes(b"".join(half))
        assert (await imageferry.undo(access(sandbox), checkpoint, OPEN, approve=yes)).outcome == "failed"
        assert (await imageferry.undo(access(sandbox), checkpoint, asked, approve=yes)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(before)


async def test_what_somebody_deletes_after_it_was_brought_back_stays_deleted(tmp_path: Path) -> None:
    """The first undo could not write one field; the second leaves the picture away, and names it."""
    manifest = tmp_path / "m.jsonl"
    rows = [{"image_file": "https://x.example/product-1-1.jpg", "description": "A"}]
    manifest.write_bytes(lines([{"product_id": 1, "images": rows}]))
    async with running(Config(products=1, images=2, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        await imageferry.sync(access(sandbox), manifest, asked)
        await control(sandbox.url, "faults", [{"kind": "throttled", "status": 400, "methods": ["PUT"]}])
        await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)
        await control(sandbox.url, "faults", [])
        back = max(image["image_id"] for image in (await state(sandbox.url))[1])
        await edit(sandbox, "DELETE", f"/products/1/images/{back}")
        report = await imageferry.undo(access(sandbox), f"{manifest}.checkpoint.json", asked, approve=yes)
        assert [failure.reason for failure in report.failures] == ["somebody deleted it since it was brought back"]
        assert [image["image_id"] for image in (await state(sandbox.url))[1]] == [1]
