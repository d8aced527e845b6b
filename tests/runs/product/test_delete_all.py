"""A store that has no call to delete all images of a product: they go one by one, it is remembered, and plans are priced so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

import imageferry
from imageferry.jobs.sandbox import Config, Sandbox, running

from ...market import lines, log, state, writes

if TYPE_CHECKING:
    from pathlib import Path

OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5)


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


def emptied(folder: Path, *products: int) -> Path:
    manifest = folder / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": n, "images": []} for n in products]))
    return manifest


@pytest.mark.parametrize("status", [403, 404, 405, 501])
async def test_delete_many_refused_for_good_falls_back_to_single_deletes(tmp_path: Path, status: int) -> None:
    """The gallery goes all the same; the next run sends no such call, and its plan counts a call for each image."""
    config = Config(products=3, images=4, quota=None, fetch=False, delete_many_refused=status)
    async with running(config) as sandbox:
        manifest = emptied(tmp_path, 1)
        before = await imageferry.plan(access(sandbox), manifest, OPEN)
        assert before.summary.delete_calls == 1
        report = await imageferry.sync(access(sandbox), manifest, OPEN)
        assert (report.outcome, report.deleted, report.unknown) == ("done", 4, 0), report.failures
        assert len((await state(sandbox.url))[1]) == 0
        header = orjson.loads((tmp_path / "m.jsonl.checkpoint.json").read_bytes().splitlines()[0])
        assert header["delete_many"] is False

        manifest = emptied(tmp_path, 1, 2, 3)
        planned = await imageferry.plan(access(sandbox), manifest, OPEN)
        assert (planned.summary.delete_calls, planned.summary.bulk_relists) == (8, 0)
        sent = len(await log(sandbox.url))
        again = await imageferry.sync(access(sandbox), manifest, OPEN)
        assert (again.outcome, again.deleted) == ("done", 8)
        assert len(writes((await log(sandbox.url))[sent:])) == 8
        assert all(not images for images in (await state(sandbox.url)).values())


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_any_other_refusal_of_it_is_the_products_own(tmp_path: Path, status: int) -> None:
    """It is named, nothing is gone, and the next run tries the call again."""
    config = Config(products=2, images=3, quota=None, fetch=False, delete_many_refused=status)
    async with running(config) as sandbox:
        manifest = emptied(tmp_path, 1)
        report = await imageferry.sync(access(sandbox), manifest, OPEN)
        assert (report.outcome, report.failed, report.deleted) == ("failed", 3, 0)
        assert {failure.status for failure in report.failures} == {status}
        planned = await imageferry.plan(access(sandbox), emptied(tmp_path, 1, 2), OPEN)
        assert planned.summary.delete_calls == 2


async def test_a_product_whose_deletes_are_all_refused_teaches_nothing(tmp_path: Path) -> None:
    """403 on this product alone: its images are named, and other products are emptied by one call as before."""
    from imageferry.jobs.sandbox import Fault

    faults = (Fault("failed_before", 1.0, ("DELETE",), "/products/1/", status=403),)
    async with running(Config(products=2, images=3, quota=None, fetch=False, faults=faults)) as sandbox:
        report = await imageferry.sync(access(sandbox), emptied(tmp_path, 1, 2), OPEN)
        assert (report.failed, report.deleted) == (3, 3)
        assert {failure.product_id for failure in report.failures} == {1}
        calls = [call["path"] for call in writes(await log(sandbox.url)) if "/products/2/" in call["path"]]
        assert len(calls) == 1
