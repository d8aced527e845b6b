"""An undo that can't give back takes nothing: whatever became of the backup, no gallery is emptier after it than before."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import imageferry
from imageferry.core.checkpoint.events import outcome, sent
from imageferry.core.checkpoint.ledger import Ledger
from imageferry.core.diff.changes import Changes
from imageferry.core.diff.renumbering import RenumberingModel
from imageferry.core.model import StoredImage, Wanted, WantedProduct
from imageferry.core.plan.batch import ProductPlan
from imageferry.core.undo.reversal import BackupCopy
from imageferry.core.undo.revert import revert, settle_doubts
from imageferry.jobs.sandbox import Config, running

from ..images.test_backup import index
from ..market import lines, state
from .test_undo import OPEN, access, edit, look, options, until

if TYPE_CHECKING:
    from pathlib import Path

    from imageferry.core.checkpoint.states import ProductLedger
    from imageferry.jobs.sandbox import Sandbox

LOSSES = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5, allow_loss=True)


def renewed(folder: Path, products: int = 2, images: int = 2) -> Path:
    """A manifest of other images for each product, so that all former ones are deleted."""
    manifest = folder / "m.jsonl"
    rows = [
        {
            "product_id": number,
            "images": [{"image_file": f"https://x.example/new-{number}-{n}.jpg"} for n in range(images)],
        }
        for number in range(1, products + 1)
    ]
    manifest.write_bytes(lines(rows))
    return manifest


def sizes(galleries: dict[int, list[dict[str, Any]]]) -> list[int]:
    return [len(gallery) for _, gallery in sorted(galleries.items())]


async def undone(
    sandbox: Sandbox, folder: Path, asked: imageferry.Options, shown: list[str] | None = None, **more: Any
) -> Any:
    """The undo, approved; what its plan says beforehand that can't come back is in `shown`."""

    async def read(proposal: imageferry.Proposal) -> bool:
        if shown is not None:
            shown.extend(proposal.report.notes)
        return True

    return await imageferry.undo(access(sandbox), folder / "m.jsonl.checkpoint.json", asked, approve=read, **more)


async def harm(way: str, folder: Path) -> None:
    """What becomes of the backup between the run and its undo."""
    kept = folder / "kept"
    rows = index(kept)
    if way == "another store's":
        shutil.rmtree(kept)
        async with running(Config(store_hash="other", seed=7, products=2, images=2, quota=None, fetch=False)) as other:
            manifest = folder / "other.jsonl"
            manifest.write_bytes(lines([{"product_id": number, "images": []} for number in (1, 2)]))
            await imageferry.sync(access(other), manifest, options(folder, other))
    elif way == "a lost index":
        (kept / "index.jsonl").write_bytes(b"")
    elif way == "a damaged index":
        data = (kept / "index.jsonl").read_bytes()
        (kept / "index.jsonl").write_bytes(data.replace(b'"sha256"', b'"sha265"'))
    for row in rows:
        path = kept / row["file"]
        if way == "cut pictures":
            path.write_bytes(path.read_bytes()[:60])
        elif way == "other bytes":
            path.write_bytes(path.read_bytes() + b".")
        elif way == "lost pictures":
            path.unlink()


HARMS = ["another store's", "a lost index", "a damaged index", "cut pictures", "other bytes", "lost pictures"]


@pytest.mark.parametrize("way", ["none", *HARMS])
async def test_without_a_usable_backup_nothing_is_deleted_unless_losses_are_allowed(tmp_path: Path, way: str) -> None:
    """The run's images stay, the plan says why, product by product; --allow-loss deletes them, and the plan says that."""
    async with running(Config(products=2, images=2, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        assert (await imageferry.sync(access(sandbox), renewed(tmp_path), asked)).deleted == 4
        await harm(way, tmp_path)
        before = await state(sandbox.url, digests=True)
        shown: list[str] = []
        report = await undone(sandbox, tmp_path, OPEN if way == "none" else asked, shown)
        assert await state(sandbox.url, digests=True) == before
        assert (report.outcome, report.deleted) == ("failed", 0)
        for number in (1, 2):
            assert any(f"product {number}: nothing is deleted: 2 images" in sentence for sentence in shown), shown
        assert sum("--allow-loss deletes it all the same" in failure.reason for failure in report.failures) == 4
        shown.clear()
        losing = await undone(sandbox, tmp_path, LOSSES, shown)
        assert (losing.deleted, sizes(await state(sandbox.url))) == (4, [0, 0])
        assert any("will be deleted although 2 of the 2 former images can't come back" in text for text in shown)


async def test_what_can_come_back_does_and_what_was_made_stays_beside_it(tmp_path: Path) -> None:
    """One of two kept pictures is lost: the other is uploaded, nothing is deleted, and no product is emptier than before."""
    async with running(Config(products=2, images=2, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, sandbox)
        former = await state(sandbox.url, digests=True)
        await imageferry.sync(access(sandbox), renewed(tmp_path), asked)
        kept = tmp_path / "kept"
        lost = next(row["file"] for row in index(kept) if row["image_id"] == 1)
        (kept / lost).rename(tmp_path / "away")
        report = await undone(sandbox, tmp_path, asked)
        assert (report.outcome, report.created, report.deleted) == ("failed", 3, 2)
        assert sizes(await state(sandbox.url)) == [3, 2]
        (tmp_path / "away").rename(kept / lost)
        assert (await undone(sandbox, tmp_path, asked)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(former)


async def test_what_a_person_deleted_since_the_run_makes_no_gallery_empty(tmp_path: Path) -> None:
    """The only former image went by hand because the run's is better: undo leaves that one, and says why."""
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=1, images=1, quota=None, fetch=False)) as sandbox:
        manifest.write_bytes(lines([{"product_id": 1, "images": [{"image_file": "https://x.example/better.jpg"}]}]))
        await imageferry.migrate(access(sandbox), manifest, OPEN)
        await edit(sandbox, "DELETE", "/products/1/images/1")
        report = await undone(sandbox, tmp_path, OPEN)
        assert (report.outcome, sizes(await state(sandbox.url))) == ("failed", [1])
        assert (await undone(sandbox, tmp_path, LOSSES)).deleted == 1


@pytest.mark.parametrize("way", HARMS)
async def test_a_backup_that_is_harmed_while_an_undo_is_open_empties_no_gallery(tmp_path: Path, way: str) -> None:
    """Broken off, the backup harmed, given again: the plan is made anew, and what can't come back holds the deletes."""
    async with running(Config(products=6, images=2, quota=None, fetch=False, latency=0.02)) as sandbox:
        asked = options(tmp_path, sandbox, concurrency=1)
        await imageferry.sync(access(sandbox), renewed(tmp_path, 6), asked)
        stop, calls = imageferry.Stop(), sum(entry.method != "GET" for entry in sandbox.log)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until, sandbox, calls + 6, stop)
            await undone(sandbox, tmp_path, asked, stop=stop)
        await harm(way, tmp_path)
        before = sizes(await state(sandbox.url))
        report = await undone(sandbox, tmp_path, asked)
        after = sizes(await state(sandbox.url))
        assert report.outcome == "failed"
        assert min(after) == 2
        assert all(now >= min(then, 2) for now, then in zip(after, before, strict=True))


async def test_a_plan_that_allowed_losses_is_not_gone_on_with_unless_they_are_allowed_again(tmp_path: Path) -> None:
    """Broken off with --allow-loss and given again without: from then on nothing is deleted."""
    async with running(Config(products=6, images=2, quota=None, fetch=False, latency=0.02)) as sandbox:
        await imageferry.sync(access(sandbox), renewed(tmp_path, 6), OPEN)
        stop, calls = imageferry.Stop(), sum(entry.method != "GET" for entry in sandbox.log)
        slowly = imageferry.Options(settle=0.5, allow_loss=True, concurrency=1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until, sandbox, calls + 4, stop)
            await undone(sandbox, tmp_path, slowly, stop=stop)
        before = await state(sandbox.url)
        assert 0 < sum(sizes(before)) < 12
        report = await undone(sandbox, tmp_path, OPEN)
        assert report.outcome == "failed"
        assert await state(sandbox.url) == before


async def test_an_undo_given_again_without_its_folder_finds_the_pictures_where_it_was_told(tmp_path: Path) -> None:
    """Broken off with --backup, finished by `imageferry undo CHECKPOINT` alone."""
    async with running(Config(products=6, images=2, quota=None, fetch=False, latency=0.02)) as sandbox:
        asked = options(tmp_path, sandbox, concurrency=1)
        former = await state(sandbox.url, digests=True)
        await imageferry.sync(access(sandbox), renewed(tmp_path, 6), asked)
        stop, calls = imageferry.Stop(), sum(entry.method != "GET" for entry in sandbox.log)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until, sandbox, calls + 6, stop)
            await undone(sandbox, tmp_path, asked, stop=stop)
        assert (await undone(sandbox, tmp_path, OPEN)).outcome == "done"
        assert look(await state(sandbox.url, digests=True)) == look(former)


async def test_what_the_run_made_and_undo_left_is_still_known_to_the_next_run(tmp_path: Path) -> None:
    """On a store that loses names, the same manifest makes none of them again."""
    async with running(Config(products=2, images=2, quota=None, fetch=False, names="lost")) as sandbox:
        manifest = renewed(tmp_path)
        await imageferry.sync(access(sandbox), manifest, OPEN)
        assert (await undone(sandbox, tmp_path, OPEN)).outcome == "failed"
        again = await imageferry.sync(access(sandbox), manifest, OPEN)
        assert (again.outcome, again.created, again.deleted) == ("done", 0, 0)


def image(image_id: int, name: str = "a") -> StoredImage:
    return StoredImage(image_id, f"x/{name}__12345.jpg", "", image_id, is_thumbnail=False)


def ended_with_a_delete_in_doubt() -> tuple[ProductPlan, ProductLedger]:
    """A run that made b for a, sent the delete of a, and was killed before its answer."""
    done = ProductPlan(WantedProduct(1, [Wanted("https://x.example/b.jpg")], 1), [image(1)], Changes(), {})
    ledger = Ledger(keep_all=True)
    ledger.apply(sent(1, "create:0", fields={}))
    ledger.apply(outcome("confirmed", 1, "create:0", image_id=2))
    ledger.apply(sent(1, "delete:1", before=image(1)))
    return done, ledger.course(1)


def test_a_delete_that_a_killed_run_had_no_answer_to_is_taken_back_where_it_happened() -> None:
    """Its image does not show any more: it comes back from the backup before the made one goes."""
    done, course = ended_with_a_delete_in_doubt()
    present = [image(2, "b")]
    settle_doubts(course, present)
    copies = {1: BackupCopy(("1/1/a.jpg",), "1/1/a.jpg", original=True)}
    batch = revert(done, course, present, copies, RenumberingModel(), {}).batch
    assert ([create.row for create in batch.changes.creates], batch.changes.deletes) == ([0], [2])


def test_a_delete_that_a_killed_run_had_no_answer_to_is_not_made_up_for_where_it_did_not_happen() -> None:
    """Its image shows: only the made one goes."""
    done, course = ended_with_a_delete_in_doubt()
    present = [image(1), image(2, "b")]
    settle_doubts(course, present)
    batch = revert(done, course, present, {}, RenumberingModel(), {}).batch
    assert (batch.changes.creates, batch.changes.deletes) == ([], [2])
