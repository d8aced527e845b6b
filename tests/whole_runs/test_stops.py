"""What ends a run and what does not: one product's own refusal never does, and whatever does lets the calls in flight come home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

import imageferry
from imageferry.core import errors
from imageferry.jobs.sandbox import Config, Fault, Sandbox, running

from ..market import lines, log, state, writes

if TYPE_CHECKING:
    from pathlib import Path

    from ..market import Row

OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5)
PATIENT = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=3600.0)
"""With it a run that waits for a create to settle does not come to its end within a test."""


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


def one_each(products: range, host: str = "https://old.example.com") -> list[Row]:
    return [{"product_id": n, "images": [{"image_file": f"{host}/{n}/new-{n}.png"}]} for n in products]


def write(folder: Path, rows: list[Row]) -> Path:
    manifest = folder / "m.jsonl"
    manifest.write_bytes(lines(rows))
    return manifest


@pytest.mark.parametrize("status", [401, 403])
async def test_an_answer_that_refuses_is_an_answer(tmp_path: Path, status: int) -> None:
    """Creates answered 401 (or 403, and all reads with it) are not in doubt: nothing is unknown, and the next run waits for none."""
    manifest = write(tmp_path, one_each(range(1, 41)))
    faults = (Fault("failed_before", 1.0, after=60, status=status),)
    async with running(Config(products=40, quota=None, fetch=False, latency=0.05, faults=faults)) as sandbox:
        with pytest.raises(errors.ForbiddenError) as raised:
            await imageferry.sync(access(sandbox), manifest, PATIENT)
        report = raised.value.report
        assert report is not None
        assert (report.unknown, report.created) == (0, sum(call["committed"] for call in await log(sandbox.url)))
    assert imageferry.status(f"{manifest}.checkpoint.json").state == "interrupted"


async def test_calls_in_flight_come_home_before_the_run_ends(tmp_path: Path) -> None:
    """One 401 while others are on their way: what those have made is counted, and the next run neither waits nor doubles."""
    manifest = write(tmp_path, one_each(range(1, 41)))
    faults = (Fault("failed_before", 1.0, ("POST",), after=10, count=1, status=401),)
    config = Config(products=40, quota=None, fetch=False, latency=0.1, faults=faults)
    async with running(config) as sandbox:
        with pytest.raises(errors.ForbiddenError) as raised:
            await imageferry.sync(access(sandbox), manifest, PATIENT)
        report = raised.value.report
        assert report is not None
        made = sum(call["committed"] for call in await log(sandbox.url))
        assert (report.created, report.unknown) == (made, 0)
        again = await imageferry.sync(access(sandbox), manifest, PATIENT)
        assert (again.outcome, again.created, again.adopted) == ("done", 40, 0)
        assert all(len(images) == 1 for images in (await state(sandbox.url)).values())


async def test_what_was_only_intended_is_not_unknown(tmp_path: Path) -> None:
    """Cut by a second signal: unknown are at most the creates that went out, and the next run waits for no other."""
    manifest = write(tmp_path, one_each(range(1, 81)))
    async with running(Config(products=80, quota=None, fetch=False, latency=0.05, write_latency=30.0)) as sandbox:
        stop, progress = imageferry.Stop(), imageferry.Progress()
        async with anyio.create_task_group() as tasks:

            async def cut() -> None:
                while progress.phase != "applying" or progress.snapshot().traffic.in_flight < 8:  # type: ignore[union-attr]  # it is there
                    await anyio.sleep(0.01)
                await anyio.sleep(0.3)
                stop.stopping = True  # as if the first signal had come at a moment when nobody waited
                stop.request()

            tasks.start_soon(cut)
            report = await imageferry.sync(access(sandbox), manifest, PATIENT, progress=progress, stop=stop)
        sent = len(writes(await log(sandbox.url)))
        assert report.outcome == "interrupted"
        assert 0 < report.unknown <= sent


async def test_a_403_on_one_product_is_its_own(tmp_path: Path) -> None:
    """Its writes are refused night after night: it fails by name, the others are done, and nothing is in doubt."""
    manifest = write(tmp_path, one_each(range(1, 41)))
    faults = (Fault("failed_before", 1.0, ("POST", "PUT", "DELETE"), "/products/17/", status=403),)
    async with running(Config(products=40, quota=None, fetch=False, faults=faults)) as sandbox:
        for _ in range(2):
            report = await imageferry.sync(access(sandbox), manifest, PATIENT)
            assert (report.outcome, report.unknown, report.failed) == ("failed", 0, 1)
            assert [(failure.product_id, failure.status) for failure in report.failures] == [(17, 403)]
        assert sum(len(images) for images in (await state(sandbox.url)).values()) == 39


async def test_a_403_on_all_calls_about_one_product_is_its_own(tmp_path: Path) -> None:
    """A plain read of the store tells that the token is good: that product can't be listed, and all else is done."""
    manifest = write(tmp_path, one_each(range(1, 41)))
    faults = (Fault("failed_before", 1.0, (), "/products/17/", status=403),)
    async with running(Config(products=40, quota=None, fetch=False, faults=faults)) as sandbox:
        report = await imageferry.sync(access(sandbox), manifest, PATIENT)
        assert [(failure.product_id, failure.status) for failure in report.failures] == [(17, 403)]
        assert sum(len(images) for images in (await state(sandbox.url)).values()) == 39


async def test_a_token_that_may_only_read_ends_the_run(tmp_path: Path) -> None:
    """Writes of several products in a row are refused with 403: exit 5, with the scope that is missing, and nothing in doubt."""
    manifest = write(tmp_path, one_each(range(1, 41)))
    faults = (Fault("failed_before", 1.0, ("POST", "PUT", "DELETE"), status=403),)
    async with running(Config(products=40, quota=None, fetch=False, faults=faults)) as sandbox:
        with pytest.raises(errors.ForbiddenError, match="Products: modify") as raised:
            await imageferry.sync(access(sandbox), manifest, OPEN)
        assert raised.value.report is not None
        assert raised.value.report.unknown == 0
        assert len(writes(await log(sandbox.url))) < 40


async def test_dead_sources_never_stop_a_run(tmp_path: Path) -> None:
    """150 of them at low ids: the new products behind them are reached in the same night, and each dead one is named."""
    rows = one_each(range(1, 151), "http://127.0.0.1:9") + [
        {"product_id": n, "images": [{"image_file": "import:front.png"}]} for n in range(151, 156)
    ]
    manifest = write(tmp_path, rows)
    async with running(Config(products=155, quota=None)) as sandbox:
        from .test_promises import picture

        (sandbox.import_folder / "front.png").write_bytes(picture("red"))
        report = await imageferry.sync(access(sandbox), manifest, OPEN)
        assert (report.outcome, report.created, report.failed) == ("failed", 5, 150)
        assert not any(note.startswith("stopped") for note in report.notes)


async def test_products_that_failed_do_not_starve_the_others(tmp_path: Path) -> None:
    """The store's storage is full (507) for the first 60 products: the night after begins with those that were not reached."""
    manifest = write(tmp_path, one_each(range(1, 81)))
    full = [Fault("failed_before", 1.0, ("POST",), f"/products/{n}/", status=507) for n in range(1, 61)]
    config = Config(products=80, quota=None, fetch=False, faults=tuple(full))
    async with running(config) as sandbox:
        first = await imageferry.sync(access(sandbox), manifest, imageferry.Options(settle=0.5, concurrency=1))
        assert "50 creates in a row" in first.notes[0]
        assert first.created == 0
        again = await imageferry.sync(access(sandbox), manifest, imageferry.Options(settle=0.5, concurrency=1))
        assert again.created == 20
