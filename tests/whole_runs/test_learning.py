"""What a store was seen to do to siblings is kept in the checkpoint: nights of creates and new orders mixed, over sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import imageferry
from imageferry.core.diff.renumbering import MODELS, Renumbering, RenumberingModel
from imageferry.core.model import StoredImage
from imageferry.core.reconcile.traits import WriteRound
from imageferry.disk.checkpoint.file import Checkpoint
from imageferry.disk.filesystem import LocalDisk
from imageferry.jobs.sandbox import Config, running

from ..market import differences, lines, state

if TYPE_CHECKING:
    from pathlib import Path

    from ..market import Row

PRODUCTS = 3
# From the second night on z is left where it is: what moved it isn't put right, and so it tells how often it was moved.
NIGHTS: list[dict[str, int | None]] = [
    {"a": 0, "g": 8, "b": 10, "c": 20, "z": 100},
    {"a": 0, "e": 5, "g": 8, "c": 12, "b": 25, "z": None},
    {"f": 0, "a": 1, "e": 6, "g": 8, "b": 25, "c": 30, "z": None},
    {"b": 0, "h": 2, "a": 4, "c": 9, "f": 12, "z": None},
    {"i": 0, "f": 1, "c": 2, "a": 3, "h": 4, "b": 5, "z": None},
]
OPEN = imageferry.Options(max_deletes=imageferry.MaxDeletes(share=1.0), settle=0.5)


def rows_of(night: dict[str, int | None]) -> list[Row]:
    """The same for every product; None is an image whose place is not managed."""
    return [{"product_id": n, "images": [_image(n, *each) for each in night.items()]} for n in range(1, PRODUCTS + 1)]


def _image(product_id: int, name: str, order: int | None) -> Row:
    source = {"image_file": f"https://x.example/p{product_id}-{name}.jpg"}
    return source if order is None else {**source, "sort_order": order}


def kept(path: Path) -> RenumberingModel:
    """The reading that the checkpoint keeps."""
    checkpoint = Checkpoint(LocalDisk(), path, None)
    checkpoint.load()
    assert checkpoint.header is not None
    reading = checkpoint.header["reading"]
    return RenumberingModel(Renumbering(reading["put"]), reading["post"])


@pytest.mark.parametrize(
    "reading", MODELS, ids=lambda each: f"{each.on_update.value}{'+post' if each.on_create else ''}"
)
async def test_what_a_store_does_on_put_and_on_post_is_learned_from_one_mixed_round(
    tmp_path: Path, reading: RenumberingModel
) -> None:
    """After the second night the checkpoint knows both, no later night unlearns them, and from then on planned is sent."""
    manifest = tmp_path / "m.jsonl"
    config = Config(products=PRODUCTS, images=0, quota=None, fetch=False, renumber=reading.on_update.value)
    config.renumber_on_create = bool(reading.on_create)
    async with running(config) as sandbox:
        access = imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)
        for number, night in enumerate(NIGHTS, 1):
            rows = rows_of(night)
            manifest.write_bytes(lines(rows))
            proposal = await imageferry.plan(access, manifest, OPEN)
            before = len(sandbox.log)
            report = await imageferry.apply(access, str(proposal.plan), OPEN)
            assert report.outcome == "done", report.failures
            assert differences(rows, await state(sandbox.url)) == []
            known = kept(tmp_path / "m.jsonl.checkpoint.json")
            assert known == (reading if number > 1 else RenumberingModel()), night
            if number > 2:
                assert len(sandbox.log) - before == proposal.calls, night


@pytest.mark.parametrize("blur", ["nothing", "a PUT in doubt", "a create without a place"])
def test_nothing_is_learned_of_a_round_that_is_not_known_for_sure(blur: str) -> None:
    """A PUT whose answer was lost may have happened twice; where the store puts an image by itself is its own affair."""
    watched = WriteRound([StoredImage(1, "a/1/x__1.jpg", "", 3)])
    watched.created(9, {"sort_order": 0})
    if blur == "a PUT in doubt":
        watched.blur()
    if blur == "a create without a place":
        watched.created(10, {})
    after = [StoredImage(1, "a/1/x__1.jpg", "", 4), StoredImage(9, "a/1/y__2.jpg", "", 0)]
    assert watched.infer(after, RenumberingModel()) == RenumberingModel(on_create=True if blur == "nothing" else None)
