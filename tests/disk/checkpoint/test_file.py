"""The checkpoint's files: what is torn is dropped, what is damaged is refused by its line and left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from imageferry.core.checkpoint.records import is_whole, seal, unseal
from imageferry.core.diff.renumbering import RenumberingModel
from imageferry.core.errors import CheckpointError
from imageferry.core.plan.batch import Header
from imageferry.core.reconcile.traits import StoreTraits
from imageferry.disk.checkpoint.file import Checkpoint
from imageferry.disk.filesystem import LocalDisk
from imageferry.disk.plan_file import PlanFile, PlanWriter

if TYPE_CHECKING:
    from pathlib import Path

STORE = "https://api.example.com/stores/abc"


def header(**more: Any) -> Header:
    about = {"mode": "sync", "store": STORE, "manifest": "/m", "digest": "d", "files": "/", "checkpoint": "/c"}
    return Header(**{**about, "selection": "", "made_at": 1.0, "resumable": True, **more})


async def remembering(path: Path, products: int = 3) -> Checkpoint:
    """A checkpoint of a finished run that knows an image of each product."""
    lessons = [(n, {f"https://x.example/{n}.jpg": (n * 10, None)}) for n in range(1, products + 1)]
    await Checkpoint(LocalDisk(), path, STORE).compact(
        {"run": "r", "state": "finished"}, StoreTraits(RenumberingModel()), lessons
    )
    return opened(path)


def opened(path: Path) -> Checkpoint:
    checkpoint = Checkpoint(LocalDisk(), path, STORE)
    checkpoint.load()
    return checkpoint


def journal(path: Path, *events: dict[str, Any]) -> Path:
    about = {"imageferry": "journal", "format": 1, "store": STORE, "run": "r2", "command": "sync", "plan": "p"}
    beside = path.with_name(path.name + ".journal")
    beside.write_bytes(b"".join(seal(row) for row in (about, *events)))
    return beside


SENT = {"event": "sent", "product_id": 1, "change": "create:0"}
CONFIRMED = {"event": "confirmed", "product_id": 1, "change": "create:0", "image_id": 7}


async def test_what_a_run_taught_is_merged_in_product_order(tmp_path: Path) -> None:
    """Later lessons replace earlier ones, products without images are forgotten, the others stay as they are."""
    path = tmp_path / "c.json"
    checkpoint = await remembering(path)
    lessons = [(2, {"https://x.example/new.jpg": (99, "1")}), (3, {}), (9, {"https://x.example/9.jpg": (90, None)})]
    await checkpoint.compact({"run": "r3", "state": "finished"}, StoreTraits(RenumberingModel()), lessons)
    assert dict(opened(path).identities()) == {
        1: {"https://x.example/1.jpg": (10, None)},
        2: {"https://x.example/new.jpg": (99, "1")},
        9: {"https://x.example/9.jpg": (90, None)},
    }


@pytest.mark.parametrize("cut", range(1, 90, 7))
async def test_a_torn_end_of_the_journal_is_no_damage(tmp_path: Path, cut: int) -> None:
    """Whatever a power cut leaves of the last line: the lines before it count, and the file can be gone on with."""
    path = tmp_path / "c.json"
    beside = journal(path, SENT, CONFIRMED)
    whole = beside.read_bytes()
    beside.write_bytes(whole[:-cut])
    unfinished = opened(path).open_run
    assert unfinished is not None
    assert whole[: unfinished.whole_bytes].endswith(b"\n")
    assert unfinished.ledger.unconfirmed() == (1 if unfinished.ledger.courses else 0)


@pytest.mark.parametrize("line", [1, 2], ids=["its header", "in the middle"])
async def test_damage_before_the_end_is_refused_by_its_line_and_left_as_it_is(tmp_path: Path, line: int) -> None:
    """A flipped bit that whole lines follow is no torn write."""
    path = tmp_path / "c.json"
    beside = journal(path, SENT, CONFIRMED)
    lines = beside.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b"e", b"E", 1)
    beside.write_bytes(b"".join(lines))
    with pytest.raises(CheckpointError, match=rf"journal:{line}: the checkpoint is damaged"):
        opened(path)
    assert beside.read_bytes() == b"".join(lines)


async def test_a_checkpoint_with_a_line_missing_is_refused(tmp_path: Path) -> None:
    """Its end counts its lines."""
    path = tmp_path / "c.json"
    await remembering(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(CheckpointError, match="its end is missing"):
        opened(path)


async def test_a_newer_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Written by a version that isn't born yet: this one leaves it alone."""
    path = tmp_path / "c.json"
    await remembering(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([seal({**unseal(lines[0]), "format": 2}), *lines[1:]]))
    with pytest.raises(CheckpointError, match="use a newer imageferry"):
        opened(path)


async def test_a_run_that_was_over_before_its_journal_was_put_away_is_over(tmp_path: Path) -> None:
    """A crash between the last rename and the tidying: nothing is carried twice."""
    path = tmp_path / "c.json"
    await remembering(path)
    beside = journal(path, SENT, CONFIRMED)
    lines = beside.read_bytes().splitlines(keepends=True)
    beside.write_bytes(b"".join([seal({**unseal(lines[0]), "run": "r"}), *lines[1:]]))
    checkpoint = opened(path)
    assert checkpoint.open_run is None
    assert checkpoint.already_closed


async def test_an_interrupted_listing_is_gone_on_with_under_the_same_header_alone(tmp_path: Path) -> None:
    """The same manifest and mode within the hour: from the last whole line; anything else begins anew."""
    path, disk = tmp_path / "p", LocalDisk()
    writer = PlanWriter(disk, path, header())
    writer.add(b'{"product_id":5,"unchanged":2,"present":2}\n')
    writer.close()
    with path.open("ab") as file:
        file.write(b'{"product_id":6,"unch')
    now = path.stat().st_mtime
    assert PlanWriter(disk, path, header(), resume_at=now + 10).last == 5
    assert PlanWriter(disk, path, header(digest="other"), resume_at=now + 10).last == 0


async def test_a_plan_that_was_made_for_a_person_is_no_interrupted_listing(tmp_path: Path) -> None:
    """The copy that apply was killed over is seconds old; what it says of the store may be of last week."""
    path, disk = tmp_path / "p", LocalDisk()
    writer = PlanWriter(disk, path, header(resumable=False))
    writer.add(b'{"product_id":5,"unchanged":2,"present":2}\n')
    await writer.finish()
    assert PlanWriter(disk, path, header(), resume_at=path.stat().st_mtime).last == 0


async def test_a_listing_older_than_an_hour_is_begun_again(tmp_path: Path) -> None:
    """The shop has moved on meanwhile."""
    path, disk = tmp_path / "p", LocalDisk()
    writer = PlanWriter(disk, path, header())
    writer.add(b'{"product_id":5,"unchanged":2,"present":2}\n')
    writer.close()
    assert PlanWriter(disk, path, header(), resume_at=path.stat().st_mtime + 3700).last == 0


@pytest.mark.parametrize(
    ("line", "last"),
    [
        (b'{"product_id":5,"unchanged":10,"present":10,"known":10,"lost":3}\n', 5),
        (b'{"product_id":5,"unchanged":10,"present":10,"known":10,"lost":4}\n', 0),
        (b'{"product_id":5,"missing":true}\n', 0),
    ],
    ids=["30% are missing", "over 30% are missing", "no product is there"],
)
async def test_a_listing_that_looked_sick_is_begun_again(tmp_path: Path, line: bytes, last: int) -> None:
    """Else a store that has recovered would be refused for an hour."""
    path, disk = tmp_path / "p", LocalDisk()
    writer = PlanWriter(disk, path, header())
    writer.add(line)
    writer.close()
    writer = PlanWriter(disk, path, header(), resume_at=path.stat().st_mtime)
    assert writer.last == last
    await writer.finish()
    assert PlanFile(disk, path).summary.products == (1 if last else 0)


async def test_a_header_torn_of_its_line_end_is_no_listing_to_go_on_with(tmp_path: Path) -> None:
    """The plan begun anew is a whole one."""
    path, disk = tmp_path / "p", LocalDisk()
    PlanWriter(disk, path, header()).close()
    path.write_bytes(path.read_bytes()[:-1])
    writer = PlanWriter(disk, path, header(), resume_at=path.stat().st_mtime)
    await writer.finish()
    assert PlanFile(disk, path).header == header()


async def test_a_plan_with_one_byte_changed_is_refused(tmp_path: Path) -> None:
    """Its digest tells, wherever the byte is."""
    path, disk = tmp_path / "p", LocalDisk()
    writer = PlanWriter(disk, path, header())
    writer.add(b'{"product_id":5,"unchanged":2,"present":2}\n')
    await writer.finish()
    PlanFile(disk, path)
    path.write_bytes(path.read_bytes().replace(b'"present":2}', b'"present":3}'))
    with pytest.raises(CheckpointError, match="damaged"):
        PlanFile(disk, path)


def test_a_sealed_line_tells_whether_it_is_whole() -> None:
    """Any single byte changed, or the end missing: not whole."""
    line = seal({"event": "sent", "product_id": 1, "note": ',"crc":1}'})
    assert is_whole(line)
    assert unseal(line) == {"event": "sent", "product_id": 1, "note": ',"crc":1}'}
    for at in range(len(line)):
        assert not is_whole(line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :])
        assert not is_whole(line[:at])
