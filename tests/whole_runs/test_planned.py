"""Planned = sent: a hundred random catalogues, each planned and carried out under each reading of renumbering."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import imageferry
from imageferry.core.diff.renumbering import Renumbering, RenumberingModel
from imageferry.core.reconcile.traits import StoreTraits
from imageferry.disk.checkpoint.file import Checkpoint
from imageferry.disk.filesystem import LocalDisk
from imageferry.jobs.sandbox import Config, Sandbox, running

from ..market import differences, lines, log, manifest_for, state

if TYPE_CHECKING:
    from pathlib import Path

CATALOGUES = 100
PRODUCTS = 3
OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5)


READINGS = [RenumberingModel(renumbering, post) for renumbering in Renumbering for post in (False, True)]
IDS = [f"{reading.on_update.value}{'+post' if reading.on_create else ''}" for reading in READINGS]


async def remember(path: Path, store: str, reading: RenumberingModel) -> None:
    """A checkpoint that knows nothing but how this store renumbers, as an earlier run would have left it."""
    run = {"run": "0", "state": "finished"}
    await Checkpoint(LocalDisk(), path, store).compact(run, StoreTraits(reading), [])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("verb", ["apply", "sync"])
@pytest.mark.parametrize("reading", READINGS, ids=IDS)
async def test_planned_calls_are_the_calls_sent(tmp_path: Path, reading: RenumberingModel, verb: str) -> None:
    """`apply` sends what `plan` said; `sync` as much, less the listing before each product's first write."""
    config = Config(
        products=CATALOGUES * PRODUCTS,
        images=4,
        quota=None,
        fetch=False,
        renumber=reading.on_update.value,
        renumber_on_create=bool(reading.on_create),
        log_size=1_000_000,
    )
    async with running(config) as sandbox:
        access = imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)
        for number in range(CATALOGUES):
            await _one(tmp_path, sandbox, access, reading, number, verb)


async def _one(
    folder: Path, sandbox: Sandbox, access: imageferry.Access, reading: RenumberingModel, number: int, verb: str
) -> None:
    rows = manifest_for(PRODUCTS, 4, seed=number, start=number * PRODUCTS + 1)
    manifest = folder / f"{number}.jsonl"
    manifest.write_bytes(lines(rows))
    await remember(folder / f"{number}.jsonl.checkpoint.json", access.store, reading)
    proposal = await imageferry.plan(access, manifest, OPEN)
    before = len(sandbox.log)
    if verb == "apply":
        report = await imageferry.apply(access, str(proposal.plan), OPEN)
        assert len(sandbox.log) - before == proposal.calls, (number, report)
    else:
        report = await imageferry.sync(access, manifest, OPEN)
        listing = proposal.summary.relists + _unchanged_listings(proposal)
        assert len(sandbox.log) - before == proposal.summary.calls(relist=False) + listing, (number, report)
    assert report.outcome == "done", report.failures
    galleries = await state(sandbox.url) if number % 20 == 0 else None
    assert galleries is None or differences(rows, galleries) == []


def _unchanged_listings(proposal: imageferry.Proposal) -> int:
    """Products that need nothing are listed once all the same (their galleries are short here)."""
    return proposal.summary.products - proposal.summary.changed_products


async def test_the_log_of_the_sandbox_is_what_the_report_counts(tmp_path: Path) -> None:
    """`requests` is every call that the store saw of this process."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines(manifest_for(20, 4, seed=3)))
    async with running(Config(products=20, images=4, quota=None, fetch=False)) as sandbox:
        access = imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)
        report = await imageferry.sync(access, manifest, OPEN)
        assert report.requests == len(await log(sandbox.url))
