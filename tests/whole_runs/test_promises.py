"""What a run promises when something is refused, missing, cut short or forbidden; judged by the store's state and log."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING

import anyio
import orjson
import pytest
from PIL import Image

import imageferry
from imageferry.core import errors
from imageferry.jobs.sandbox import Config, Fault, Sandbox, running
from imageferry.transport.load import MOST_WORKERS

from ..market import control, differences, lines, log, manifest_for, state, writes

if TYPE_CHECKING:
    from pathlib import Path

OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5)


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


def picture(colour: str, kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, kind)
    return file.getvalue()


async def test_a_missing_product_and_a_refused_source_fail_by_name_and_all_else_is_done(tmp_path: Path) -> None:
    """Their products' deletes are held back; the failed manifest finishes the job once the cause is gone."""
    manifest = tmp_path / "m.jsonl"
    rows = [
        {"product_id": 1, "images": [{"image_file": "import:front.png"}]},
        {"product_id": 2, "images": [{"image_file": "import:late.png"}]},
        {"product_id": 99, "images": [{"image_file": "import:front.png"}]},
    ]
    manifest.write_bytes(lines(rows))
    async with running(Config(products=2, images=2, quota=None)) as sandbox:
        (sandbox.import_folder / "front.png").write_bytes(picture("red"))
        report = await imageferry.sync(access(sandbox), manifest, OPEN)
        galleries = await state(sandbox.url)
        assert report.outcome == "failed"
        assert {(f.product_id, f.image_file, f.status) for f in report.failures} == {
            (2, "import:late.png", 400),
            (99, "import:front.png", 404),
        }
        assert [image["image_file"][6:11] for image in galleries[1]] == ["front"]
        assert len(galleries[2]) == 2
        assert (report.created, report.deleted, report.failed) == (1, 2, 2)

        (sandbox.import_folder / "late.png").write_bytes(picture("blue"))
        await control(sandbox.url, "edit", {"method": "POST", "path": "/products", "body": {"id": 99}})
        again = await imageferry.sync(access(sandbox), str(report.failed_manifest), OPEN)
        assert again.outcome == "done", again.failures
        assert (await imageferry.verify(access(sandbox), manifest)).outcome == "done"


async def test_migrate_deletes_nothing(tmp_path: Path) -> None:
    """Whatever the manifest no longer names stays."""
    rows = manifest_for(30, 4, seed=9)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    async with running(Config(products=30, images=4, quota=None, fetch=False)) as sandbox:
        report = await imageferry.migrate(access(sandbox), manifest, OPEN)
        assert report.outcome == "done"
        assert differences(rows, await state(sandbox.url), mirror=False) == []
        assert not [call for call in await log(sandbox.url) if call["method"] == "DELETE"]
        assert (await imageferry.verify(access(sandbox), manifest, delete=False)).outcome == "done"
        assert (await imageferry.verify(access(sandbox), manifest)).outcome == "failed"


async def test_a_sync_that_would_delete_over_thirty_percent_is_refused_before_its_first_write(tmp_path: Path) -> None:
    """The refusal says how to allow it, and the log shows no write."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": n, "images": []} for n in range(1, 4)]))
    async with running(Config(products=20, images=4, quota=None, fetch=False)) as sandbox:
        with pytest.raises(errors.UnsafePlanError, match="--max-deletes 12"):
            await imageferry.sync(access(sandbox), manifest)
        assert writes(await log(sandbox.url)) == []
        allowed = imageferry.Options(max_deletes=imageferry.MaxDeletes(count=12))
        assert (await imageferry.sync(access(sandbox), manifest, allowed)).deleted == 12
        assert sum(map(len, (await state(sandbox.url)).values())) == 68


async def test_a_manifest_of_another_store_is_recognised(tmp_path: Path) -> None:
    """Where the first 25 products are all unknown, nothing more is asked and nothing is written."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": n, "images": []} for n in range(1000, 1400)]))
    async with running(Config(products=20, images=1, quota=None)) as sandbox:
        with pytest.raises(errors.UnsafePlanError, match="wrong store"):
            await imageferry.sync(access(sandbox), manifest)
        assert len(await log(sandbox.url)) < 200


async def test_local_files_urls_and_import_names_arrive_byte_for_byte(tmp_path: Path) -> None:
    """The pictures that the store serves back are the pictures that were sent."""
    (tmp_path / "sub").mkdir()
    sent = {"local.png": picture("red"), "import.gif": picture("green", "GIF"), "url.jpg": picture("blue", "JPEG")}
    (tmp_path / "sub" / "local.png").write_bytes(sent["local.png"])
    async with running(Config(products=2, quota=None)) as source, running(Config(products=2, quota=None)) as sandbox:
        (source.import_folder / "url.jpg").write_bytes(sent["url.jpg"])
        await control(
            source.url,
            "edit",
            {"method": "POST", "path": "/products/1/images", "body": {"image_file": "import:url.jpg"[7:]}},
        )
        stored = (await state(source.url))[1][0]["image_file"]
        (sandbox.import_folder / "import.gif").write_bytes(sent["import.gif"])
        manifest = tmp_path / "m.jsonl"
        images = ["sub/local.png", "import:import.gif", f"{source.url}/product_images/{stored}"]
        manifest.write_bytes(
            lines(
                [{"product_id": 1, "images": [{"image_file": each, "sort_order": n} for n, each in enumerate(images)]}]
            )
        )
        report = await imageferry.migrate(access(sandbox), manifest)
        assert report.outcome == "done", report.failures
        digests = [image["sha256"] for image in (await state(sandbox.url, digests=True))[1]]
        assert digests == [
            hashlib.sha256(data).hexdigest() for data in (sent["local.png"], sent["import.gif"], sent["url.jpg"])
        ]
        assert (await imageferry.verify(access(sandbox), manifest)).outcome == "done"


async def test_an_export_carried_into_another_store_verifies_there(tmp_path: Path) -> None:
    """Same product ids: the exported manifest migrates, and the second store is as it says."""
    async with (
        running(Config(products=15, images=3, quota=None)) as old,
        running(Config(products=15, quota=None)) as new,
    ):
        manifest = tmp_path / "export.jsonl"
        report = await imageferry.export(access(old), manifest, imageferry.Options(storefront_url=old.url))
        assert (report.outcome, report.wanted, report.images_before) == ("done", 45, 45)
        assert (await imageferry.migrate(access(new), manifest)).created == 45
        assert (await imageferry.verify(access(new), manifest)).outcome == "done"
        was, now = await state(old.url, digests=True), await state(new.url, digests=True)
        for product_id, gallery in was.items():
            assert [image["sha256"] for image in gallery] == [image["sha256"] for image in now[product_id]]


async def test_a_plan_is_carried_out_as_read_and_leaves_alone_what_somebody_changed_since(tmp_path: Path) -> None:
    """`apply` lists each product again before its first write; the changed one is reported and untouched."""
    rows = manifest_for(12, 3, seed=2)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    async with running(Config(products=12, images=3, quota=None, fetch=False)) as sandbox:
        proposal = await imageferry.plan(access(sandbox), manifest)
        assert writes(await log(sandbox.url)) == []
        changed = next(row["product_id"] for row in rows if len(row["images"]) > 2)
        mine = {"image_file": "https://x.example/mine.png"}
        await control(sandbox.url, "edit", {"method": "POST", "path": f"/products/{changed}/images", "body": mine})
        before = (await state(sandbox.url))[changed]
        calls = len(await log(sandbox.url))
        report = await imageferry.apply(access(sandbox), str(proposal.plan), OPEN)
        galleries = await state(sandbox.url)
        assert report.outcome == "failed"
        assert {failure.product_id for failure in report.failures} == {changed}
        assert galleries[changed] == before
        assert differences([row for row in rows if row["product_id"] != changed], galleries) == []
        assert report.requests == len(await log(sandbox.url)) - calls


async def test_a_planned_number_of_calls_is_the_number_sent(tmp_path: Path) -> None:
    """When nothing goes wrong and the store renumbers as documented, `apply` sends what `plan` said."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(40, 4, seed=6)))
    async with running(Config(products=40, images=4, quota=None, fetch=False)) as sandbox:
        proposal = await imageferry.plan(access(sandbox), manifest)
        before = len(await log(sandbox.url))
        report = await imageferry.apply(access(sandbox), str(proposal.plan), OPEN)
        assert report.outcome == "done"
        assert len(await log(sandbox.url)) - before == proposal.calls


async def test_refused_credentials_stop_the_run_at_once(tmp_path: Path) -> None:
    """A wrong token: one call, and no other."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(30, 1)))
    async with running(Config(products=30, images=1, quota=None)) as sandbox:
        wrong = imageferry.Access(sandbox.store_hash, "0" * 32, sandbox.api_url)
        with pytest.raises(errors.ForbiddenError):
            await imageferry.sync(wrong, manifest)
        assert len(await log(sandbox.url)) == 1


async def test_the_first_interrupt_drains_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """Calls in flight are finished and journalled; nothing is doubled when the run is resumed; status tells it."""
    rows = manifest_for(60, 4, seed=8)
    manifest = tmp_path / "m.jsonl"
    checkpoint = tmp_path / "m.jsonl.checkpoint.json"
    manifest.write_bytes(lines(rows))
    async with running(Config(products=60, images=4, quota=None, fetch=False, latency=0.02)) as sandbox:
        assert imageferry.status(checkpoint).state == "none"
        for _ in range(20):
            stop, progress = imageferry.Stop(), imageferry.Progress()
            async with anyio.create_task_group() as tasks:

                async def interrupt(stop: imageferry.Stop = stop, progress: imageferry.Progress = progress) -> None:
                    while progress.phase != "applying" or not progress.images_done:
                        await anyio.sleep(0.01)
                    await anyio.sleep(0.1)
                    over = progress.images_done == progress.images
                    assert imageferry.status(checkpoint).state == "applying" or over
                    stop.request()

                tasks.start_soon(interrupt)
                report = await imageferry.sync(access(sandbox), manifest, OPEN, progress=progress, stop=stop)
                tasks.cancel_scope.cancel()
            if report.outcome == "done":
                break
            assert (report.outcome, report.unknown) == ("interrupted", 0)
            assert imageferry.status(checkpoint).state == "interrupted"
        assert report.outcome == "done"
        assert differences(rows, await state(sandbox.url)) == []
        assert imageferry.status(checkpoint).state == "finished"
        created = [i for call in await log(sandbox.url) if call["method"] == "POST" for i in call["image_ids"]]
        assert report.created == len(created) == len(set(created))


async def test_the_same_refusal_of_fifty_creates_stops_the_run(tmp_path: Path) -> None:
    """One that concerns the store, as a full storage does: exit 1, resumable, the reason first."""
    manifest = tmp_path / "m.jsonl"
    images = [{"product_id": n, "images": [{"image_file": f"https://x.example/{n}.png"}]} for n in range(1, 201)]
    manifest.write_bytes(lines(images))
    full = Fault("failed_before", 1.0, ("POST",), status=507)
    async with running(Config(products=200, quota=None, fetch=False, faults=(full,))) as sandbox:
        report = await imageferry.migrate(access(sandbox), manifest)
        assert report.outcome == "failed"
        assert "50 creates in a row" in report.notes[0]
        assert 50 <= len(writes(await log(sandbox.url))) < 50 + MOST_WORKERS  # what was in flight is finished
        await control(sandbox.url, "faults", [])
        again = await imageferry.migrate(access(sandbox), manifest)
        assert (again.outcome, again.created, again.failed) == ("done", 200, 0)


async def test_a_checkpoint_of_another_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """The line, and what to do."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(2, 1)))
    checkpoint = tmp_path / "m.jsonl.checkpoint.json"
    async with running(Config(products=2, images=1, quota=None, fetch=False)) as sandbox:
        await imageferry.sync(access(sandbox), manifest, OPEN)
        kept = checkpoint.read_bytes()
        other = imageferry.Access("another1", sandbox.access_token, sandbox.api_url)
        with pytest.raises(errors.CheckpointError, match=r"checkpoint\.json:1: it belongs to the store"):
            await imageferry.sync(other, manifest)
        assert checkpoint.read_bytes() == kept


async def test_a_late_commit_is_not_doubled_and_the_run_ends_well(tmp_path: Path) -> None:
    """A create answered 504 and carried out a moment later is waited for and adopted."""
    rows = [{"product_id": n, "images": [{"image_file": f"https://x.example/new-{n}-1.png"}]} for n in range(1, 31)]
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows))
    faults = (Fault("late_commit", 0.3, ("POST",), delay=0.6),)
    async with running(Config(products=30, quota=None, fetch=False, faults=faults)) as sandbox:
        report = await imageferry.sync(access(sandbox), manifest, imageferry.Options(settle=1.5))
        assert report.outcome == "done"
        assert report.adopted > 0
        assert differences(rows, await state(sandbox.url)) == []


async def test_a_twin_that_comes_after_the_settling_is_removed_by_sync_and_told_by_migrate(tmp_path: Path) -> None:
    """Later than --settle but within the run: sync takes the single newcomer away, migrate names its id."""
    for verb, outcome in ((imageferry.sync, "done"), (imageferry.migrate, "failed")):
        manifest = tmp_path / f"{verb.__name__}.jsonl"
        rows = [{"product_id": n, "images": [{"image_file": f"https://x.example/new-{n}-1.png"}]} for n in (1, 2)]
        manifest.write_bytes(lines(rows))
        faults = (
            Fault("late_commit", 1.0, ("POST",), "/products/1/", count=1, delay=0.9),
            Fault("failed_before", 1.0, ("POST",), "/products/2/", count=2),
        )
        async with running(Config(products=2, quota=None, fetch=False, faults=faults)) as sandbox:
            report = await verb(access(sandbox), manifest, imageferry.Options(settle=0.6))
            gallery = (await state(sandbox.url))[1]
            assert report.outcome == outcome, report
            if verb is imageferry.sync:
                assert len(gallery) == 1
            else:
                assert len(gallery) == 2
                assert report.failures[0].image_id in {image["image_id"] for image in gallery}


async def test_a_new_version_replaces_the_image_with_sync(tmp_path: Path) -> None:
    """The new one first, the old one deleted after; unmanaged fields are kept; migrate says why it doesn't."""
    manifest = tmp_path / "m.jsonl"
    async with running(Config(products=1, quota=None)) as sandbox:
        (sandbox.import_folder / "a.png").write_bytes(picture("red"))
        for version, verb in (("1", imageferry.sync), ("2", imageferry.migrate), ("2", imageferry.sync)):
            if version == "2":
                (sandbox.import_folder / "a.png").write_bytes(picture("blue"))
            image = {"image_file": "import:a.png", "version": version}
            if verb is imageferry.sync and version == "1":
                image["description"] = "kept"
            manifest.write_bytes(orjson.dumps({"product_id": 1, "images": [image]}) + b"\n")
            report = await verb(access(sandbox), manifest)
            assert report.outcome == ("failed" if verb is imageferry.migrate else "done"), report.failures
        (image,) = (await state(sandbox.url, digests=True))[1]
        assert (report.created, report.deleted) == (1, 1)
        assert image["sha256"] == hashlib.sha256(picture("blue")).hexdigest()
        assert image["description"] == "kept"
