"""Sorting more than memory should hold. Touches the disk beside the prefix it is given, and nothing else.

Records gather in memory; each time they reach the budget they are sorted and written out as a run; reading merges the runs.
A record is a line whose first 32 characters, key and sequence in hexadecimal, sort as the numbers do: no record is parsed to be
compared.
"""

from __future__ import annotations

import heapq
import os
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, BinaryIO, Self

from ..core.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HIGHEST = 2**64 - 1
_OVERHEAD = 41  # bytes that CPython keeps for a record beside its own: the object's head and the list's pointer
_FAN_IN = 64  # runs that are merged at once: file handles are few on some systems
_BUFFER = 64 * 1024


class ExternalSorter:
    """Records of (key, sequence, payload), given back in the order of the first two, as often as asked.

    Both numbers have 64 bits, unsigned; where both are equal no order is promised. A payload is bytes without a line feed.
    What doesn't fit `budget` bytes of memory goes to files named `prefix` and a number, private to the user, gone on `close`.
    `sweep` removes what a killed process left of them. Not to be added to while it is being read.
    """

    def __init__(self, prefix: Path, budget: int = 32 * 1024 * 1024) -> None:
        self._prefix = prefix
        self._budget = budget
        self._held = 0
        self._records: list[bytes] = []
        self._runs: list[Path] = []
        self._made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, key: int, sequence: int, payload: bytes) -> None:
        """Take in one record. Raises DiskError; ValueError for what no record can be."""
        if not (0 <= key <= _HIGHEST and 0 <= sequence <= _HIGHEST) or b"\n" in payload:
            raise ValueError("a record has two unsigned numbers of 64 bits and a payload without a line feed")
        record = b"%016x%016x%b\n" % (key, sequence, payload)
        self._records.append(record)
        self._held += len(record) + _OVERHEAD
        if self._held >= self._budget:
            self._write_run()

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        """All records in order; raises DiskError."""
        self._records.sort()
        for record in self._merged(self._runs, self._records):
            yield int(record[:16], 16), int(record[16:32], 16), record[32:-1]

    def close(self) -> None:
        """Forget all records and remove the files; can be called again."""
        self._records = []
        self._held = 0
        with disk_faults(self._prefix):
            for run in self._runs:
                run.unlink(missing_ok=True)
        self._runs = []

    def remove_leftovers(self) -> None:
        """Remove the files of this prefix that a killed process left behind."""
        with suppress(OSError):  # no such folder: nothing was left
            for path in self._prefix.parent.iterdir():
                if path.name.startswith(f"{self._prefix.name}.") and path.suffix[1:].isdigit():
                    path.unlink(missing_ok=True)

    def _write_run(self) -> None:
        if len(self._runs) == _FAN_IN:
            merged = self._write(self._merged(self._runs, []))
            with disk_faults(self._prefix):
                for run in self._runs:
                    run.unlink()
            self._runs = [merged]
        self._records.sort()
        self._runs.append(self._write(self._records))
        self._records = []
        self._held = 0

    def _write(self, records: Iterable[bytes]) -> Path:
        path = self._prefix.with_name(f"{self._prefix.name}.{self._made}")
        self._made += 1
        with disk_faults(path):
            try:
                with private(path) as file:
                    file.writelines(records)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return path

    def _merged(self, runs: list[Path], rest: list[bytes]) -> Iterator[bytes]:
        with disk_faults(self._prefix), ExitStack() as stack:
            files = [stack.enter_context(run.open("rb", _BUFFER)) for run in runs]
            yield from heapq.merge(*files, rest) if files else rest


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private folder below the system's for temporary files, gone at the end.

    Raises DiskError where none can be made.
    """
    try:
        folder = Path(mkdtemp(prefix="imageferry-"))
    except OSError as error:
        raise DiskError(f"no folder for temporary files can be made (TMPDIR): {error.strerror or error}") from None
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def private(path: Path) -> BinaryIO:
    """Open a new file for writing that only this user may read; what stood there, a link included, is replaced."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", _BUFFER)


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Turn an OSError inside into a DiskError that names the folder of `path`."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"{path.parent}: the disk failed under {path.name}: {error.strerror or error}") from error
