"""A command that is given again for what failed costs what failed: a listing a product, the two counts, and the writes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import imageferry
from imageferry.jobs.sandbox import Config, Fault, Sandbox, running
from imageferry.runs.context import Ports

from ..market import control, lines, log, state, writes
from .test_promises import picture

if TYPE_CHECKING:
    from pathlib import Path

    from ..market import Row

OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5)
PRODUCTS, FAILING = 40, (3, 17, 40)


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


def rows(failing: tuple[int, ...] = FAILING) -> list[Row]:
    return [
        {
            "product_id": n,
            "images": [{"image_file": f"import:{'late' if n in failing else 'front'}.png", "is_thumbnail": True}],
        }
        for n in range(1, PRODUCTS + 1)
    ]


async def calls_of(sandbox: Sandbox, since: int) -> tuple[int, int]:
    """How many calls came after the first `since`, and how many of them were writes."""
    calls = (await log(sandbox.url))[since:]
    return len(calls), len(writes(calls))


@pytest.mark.parametrize(
    "verb", [imageferry.migrate, imageferry.sync, imageferry.apply], ids=["migrate", "sync", "apply"]
)
@pytest.mark.parametrize("mended", [True, False], ids=["mended", "not mended"])
async def test_a_retry_of_k_products_makes_k_listings_two_calls_and_the_writes(tmp_path: Path, verb, mended) -> None:
    """Of n products k have failed; whether or not the cause is gone, the others are not listed once more."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows()))
    given = manifest
    async with running(Config(products=PRODUCTS, images=1, quota=None)) as sandbox:
        (sandbox.import_folder / "front.png").write_bytes(picture("red"))
        if verb is imageferry.apply:
            await imageferry.plan(access(sandbox), manifest, OPEN)
            given = tmp_path / "m.jsonl.plan"
        first = await verb(access(sandbox), given, OPEN)
        assert (first.outcome, first.failed) == ("failed", 3)
        if mended:
            (sandbox.import_folder / "late.png").write_bytes(picture("blue"))
        before = len(await log(sandbox.url))
        again = await verb(access(sandbox), given, OPEN)
        sent, written = await calls_of(sandbox, before)
        assert (again.outcome, again.failed, again.products) == (("done", 0, 40) if mended else ("failed", 3, 40))
        assert sent <= len(FAILING) + 2 + written
        assert written <= 2 * len(FAILING)
        deletes = 0 if verb is imageferry.migrate else 1
        galleries = await state(sandbox.url)
        assert all(len(galleries[n]) == 2 - deletes for n in galleries if mended or n not in FAILING)


async def test_products_that_a_403_failed_are_tried_again_alone(tmp_path: Path) -> None:
    """Refused writes as well as dead sources."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows(())))
    faults = tuple(Fault("failed_before", 1.0, ("POST",), f"/products/{n}/", status=403) for n in FAILING)
    async with running(Config(products=PRODUCTS, quota=None, faults=faults)) as sandbox:
        (sandbox.import_folder / "front.png").write_bytes(picture("red"))
        assert (await imageferry.sync(access(sandbox), manifest, OPEN)).failed == 3
        for mended in (False, True):
            if mended:
                await control(sandbox.url, "faults", [])
            before = len(await log(sandbox.url))
            again = await imageferry.sync(access(sandbox), manifest, OPEN)
            assert (again.failed, await calls_of(sandbox, before)) == (0 if mended else 3, (3 + 2 + 3, 3))


async def _again_lists(tmp_path: Path, options: imageferry.Options, **what: bool) -> int:
    """How many listings the second run makes, after something has changed."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows()))
    async with running(Config(products=PRODUCTS, images=1, quota=None)) as sandbox:
        (sandbox.import_folder / "front.png").write_bytes(picture("red"))
        assert (await imageferry.sync(access(sandbox), manifest, OPEN)).failed == 3
        if what.get("manifest"):
            manifest.write_bytes(lines(rows())[:-1])
        if what.get("store"):
            (image, *_) = (await state(sandbox.url))[1]
            edit = {"method": "DELETE", "path": f"/products/1/images/{image['image_id']}"}
            await control(sandbox.url, "edit", edit)
        late = 3601.0 if what.get("late") else 0.0
        before = len(await log(sandbox.url))
        seams = replace(Ports(), now=lambda: time.time() + late)
        verb = imageferry.migrate if what.get("mode") else imageferry.sync
        await verb(access(sandbox), manifest, options, seams=seams)
        listed = [call for call in (await log(sandbox.url))[before:] if "/images?" in call["path"]]
        return len({call["path"] for call in listed if call["method"] == "GET"})


@pytest.mark.parametrize("changed", ["manifest", "store", "late", "mode", "fresh"])
async def test_all_is_listed_where_the_others_may_have_changed(tmp_path: Path, changed: str) -> None:
    """Another manifest or mode, another number of images in the store, an hour since the listing, or --fresh."""
    options = replace(OPEN, fresh=changed == "fresh")
    assert await _again_lists(tmp_path, options, **{changed: True}) == PRODUCTS


async def test_else_only_what_failed_is_listed(tmp_path: Path) -> None:
    """The measure for the test above."""
    assert await _again_lists(tmp_path, OPEN) == len(FAILING)


async def test_a_product_whose_update_was_sent_again_is_listed_by_a_retry_too(tmp_path: Path) -> None:
    """An update whose answer was lost may come late and move its siblings: what the run had listed by then doesn't show it."""
    manifest = tmp_path / "m.jsonl"
    asked = rows()
    asked[5] = {
        "product_id": 6,
        "images": [{"image_file": f"import:{name}.png", "sort_order": n} for n, name in enumerate(("front", "back"))],
    }
    manifest.write_bytes(lines(asked))
    async with running(Config(products=PRODUCTS, quota=None, renumber="always")) as sandbox:
        for name in ("front", "back"):
            (sandbox.import_folder / f"{name}.png").write_bytes(picture("red"))
        assert (await imageferry.migrate(access(sandbox), manifest, OPEN)).failed == 3
        asked[5]["images"].reverse()
        for n, image in enumerate(asked[5]["images"]):
            image["sort_order"] = n
        manifest.write_bytes(lines(asked))
        await control(
            sandbox.url,
            "faults",
            [
                {
                    "kind": "late_commit",
                    "share": 1.0,
                    "methods": ["PUT"],
                    "path": "/products/6/",
                    "count": 1,
                    "delay": 2.0,
                }
            ],
        )
        assert (await imageferry.migrate(access(sandbox), manifest, OPEN)).failed == 3
        await asyncio.sleep(2.5)
        before = len(await log(sandbox.url))
        assert (await imageferry.migrate(access(sandbox), manifest, OPEN)).failed == 3
        listed = [call for call in (await log(sandbox.url))[before:] if "/images?" in call["path"]]
        assert {int(call["path"].split("/")[-2]) for call in listed} == {*FAILING, 6}
        # The folder of a stored name is drawn; its last part is not.
        images = (await state(sandbox.url))[6]
        orders = {image["image_file"].rpartition("/")[2]: image["sort_order"] for image in images}
        assert [orders[name] for name in sorted(orders)] == [0, 1]  # back, front


async def test_a_run_that_was_stopped_goes_on_with_what_is_left_first(tmp_path: Path) -> None:
    """What failed before the stop comes last and costs a listing each; what was finished costs none."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(rows()))
    async with running(Config(products=PRODUCTS, quota=None, latency=0.02)) as sandbox:
        (sandbox.import_folder / "front.png").write_bytes(picture("red"))
        stop, progress = imageferry.Stop(), imageferry.Progress()

        class Stopping(imageferry.Progress):
            def __setattr__(self, name: str, value: object) -> None:
                super().__setattr__(name, value)
                if name == "products_done" and self.phase == "applying" and value == 20:
                    stop.request()

        progress = Stopping()
        options = replace(OPEN, concurrency=1)
        first = await imageferry.sync(access(sandbox), manifest, options, progress=progress, stop=stop)
        assert (first.outcome, first.failed) == ("interrupted", 2)
        before = len(await log(sandbox.url))
        again = await imageferry.sync(access(sandbox), manifest, options)
        calls = (await log(sandbox.url))[before:]
        assert (again.failed, again.created) == (3, 37)
        posts = [int(call["path"].split("/")[-2]) for call in calls if call["method"] == "POST"]
        assert set(posts[-2:]) == {3, 17}
        assert len(calls) <= len(posts) + 2 + 3
