"""Sorting on disk: the order, the files and what becomes of them."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageferry.core.errors import DiskError
from imageferry.disk.sorter import ExternalSorter, private

numbers = st.integers(0, 2**64 - 1) | st.integers(0, 9)
payloads = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"\r"))
records = st.lists(st.tuples(numbers, numbers, payloads), max_size=200, unique_by=lambda record: record[:2])


@given(records, st.sampled_from([1, 300, 10**6]))
@settings(max_examples=60, deadline=None)
def test_records_come_back_in_order(given_records, budget):
    """Whatever fits into memory, records come back whole in the order of key and sequence, as often as asked; no file stays."""
    with tempfile.TemporaryDirectory() as folder:
        with ExternalSorter(Path(folder, "cp.sorted"), budget) as spill:
            for record in given_records:
                spill.add(*record)
            assert list(spill) == sorted(given_records)
            assert list(zip(spill, spill, strict=True)) == [(each, each) for each in sorted(given_records)]
        assert not any(Path(folder).iterdir())


def test_memory_stays_within_the_budget(tmp_path):
    """What exceeds the budget lies in private files beside the prefix, few enough to be merged at once."""
    with ExternalSorter(tmp_path / "cp.sorted", budget=2_000) as spill:
        for n in range(10_000):
            spill.add(n * 7_919 % 10_000, n, b"x" * 20)
        files = list(tmp_path.iterdir())
        assert 1 < len(files) <= 64
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert all(file.name.startswith("cp.sorted.") for file in files)
        assert [key for key, _, _ in spill] == list(range(10_000))


def test_little_never_touches_the_disk(tmp_path):
    """What fits into memory makes no file, not even where the folder is missing."""
    with ExternalSorter(tmp_path / "nowhere" / "cp") as spill:
        spill.add(2, 0, b"b")
        spill.add(1, 0, b"a")
        assert list(spill) == [(1, 0, b"a"), (2, 0, b"b")]


def test_a_missing_folder_is_a_disk_error_that_names_it(tmp_path):
    """The error names the folder; nothing is left to remove."""
    with ExternalSorter(tmp_path / "nowhere" / "cp", budget=1) as spill, pytest.raises(DiskError, match="nowhere"):
        spill.add(1, 1, b"")


def test_a_file_that_goes_away_is_a_disk_error(tmp_path):
    """A run that somebody removed is named, not passed over."""
    with ExternalSorter(tmp_path / "cp", budget=1) as spill:
        spill.add(1, 1, b"")
        for file in tmp_path.iterdir():
            file.unlink()
        with pytest.raises(DiskError, match=str(tmp_path)):
            list(spill)


@pytest.mark.parametrize("record", [(-1, 0, b""), (2**64, 0, b""), (0, -1, b""), (0, 0, b"a\nb")])
def test_what_is_no_record_is_refused(tmp_path, record):
    """Numbers out of range and line feeds would corrupt the order."""
    with ExternalSorter(tmp_path / "cp") as spill, pytest.raises(ValueError, match="a record has"):
        spill.add(*record)


def test_sweeping_removes_what_a_killed_process_left(tmp_path):
    """Only runs of this very prefix go."""
    for name in ("cp.0", "cp.17", "cp.x", "cp", "cpx.0", "other.1"):
        (tmp_path / name).touch()
    ExternalSorter(tmp_path / "cp").remove_leftovers()
    ExternalSorter(tmp_path / "nowhere" / "cp").remove_leftovers()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cp", "cp.x", "cpx.0", "other.1"]


def test_a_private_file_replaces_a_link(tmp_path):
    """What a link pointed to isn't written, and the new file is for this user only."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"precious")
    link.symlink_to(target)
    with private(link) as file:
        file.write(b"mine")
    assert (target.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"precious", b"mine", False)
    assert link.stat().st_mode & 0o777 == 0o600
