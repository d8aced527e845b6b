"""The plan on disk: written in product order while the listing goes on, read a batch at a time by those who apply it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import orjson

from ..core.errors import CheckpointError, DiskError
from ..core.plan.guards import listing_incomplete
from ..core.plan.lines import add_line, header_line, read_header, read_line, read_summary, summary_line
from ..core.plan.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

    from ..core.plan.batch import Header, ProductPlan
    from .interface import AppendOnlyFile, Disk

_BUFFER = 1 << 15
_PRODUCT = b'{"product_id":'
START_AGAIN = "give --fresh to start again without it"
"""What to do about an unfinished run's plan that can't be used."""
HOUR = 3600.0
"""A listing that was interrupted longer ago than this is begun again: the shop has moved on."""


class PlanWriter:
    """Appends the lines of a plan; `last` is the product that the file already reaches, 0 where it is new.

    A plan `in_place` grows where it will lie, so that an interrupted listing can be gone on with. Any other is written
    beside and renamed once it is whole: what was there before stays until then, and 0600 is what it becomes.
    """

    def __init__(
        self, disk: Disk, path: Path, header: Header, *, in_place: bool = True, resume_at: float | None = None
    ) -> None:
        """Go on with an interrupted listing under the same header where `resume_at` (now) allows it, else begin.

        What a store listed that looked sick is not gone on with: by now it may have recovered.
        """
        self._disk = disk
        self._path = path
        # Its own name, since who makes it may hold no lock.
        self._grows_at = path if in_place else path.with_name(f"{path.name}.{os.getpid()}.new")
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._one_by_one = not header.delete_many
        self._forget()
        if resume_at is not None and _interrupted(disk, path, header, resume_at):
            self._replay(disk, path)
        if self.last and not listing_incomplete(self.summary):
            self._file = disk.append(path)
            return
        self._forget()
        self._file = self._begin()
        self.add(header_line(header))
        self.flush()

    def _forget(self) -> None:
        self._digest = hashlib.sha256()
        self.summary = Summary(one_by_one=self._one_by_one)
        self.last = 0

    def _begin(self) -> AppendOnlyFile:
        if self._grows_at != self._path:
            self._disk.remove(self._path.with_name(self._path.name + ".new"))  # what a killed process of old left
        return self._disk.create(self._grows_at)

    def _replay(self, disk: Disk, path: Path) -> None:
        good = 0
        for number, line in enumerate(disk.lines(path)):
            row = _parse(line) if line.endswith(b"\n") else None
            if row is None or (number and "product_id" not in row):
                break
            if number:
                add_line(self.summary, row)
                self.last = row["product_id"]
            self._digest.update(line)
            good += len(line)
        disk.truncate(path, good)

    def add(self, line: bytes) -> None:
        """Append one line; a few lines are kept back and written together."""
        self._buffer.append(line)
        self._buffered += len(line)
        if self._buffered >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        """Hand what was kept back to the kernel."""
        if self._buffer:
            block = b"".join(self._buffer)
            self._digest.update(block)
            self._file.write(block)
            self._buffer.clear()
            self._buffered = 0

    async def finish(self) -> str:
        """Write the summary, which makes it a plan; returns the digest."""
        self.flush()
        digest = self._digest.hexdigest()
        try:
            self._file.write(summary_line(self.summary, digest))
            await self._file.sync()
        finally:
            self._file.close()
        if self._grows_at != self._path:
            try:
                await self._disk.replace(self._grows_at, self._path)
            except DiskError:
                self._disk.remove(self._grows_at)
                raise
        return digest

    def close(self) -> None:
        """Leave the listing as far as it came if it grew in place; else it is of no use to anybody, and goes."""
        if self._grows_at == self._path:
            self.flush()
        self._file.close()
        if self._grows_at != self._path:
            self._disk.remove(self._grows_at)


class PlanFile:
    """A whole plan on disk. Opening it checks its digest.

    Raises CheckpointError where it is not a plan, unfinished, damaged or of a newer format, with the `remedy`.
    """

    def __init__(self, disk: Disk, path: Path, remedy: str = "restore a copy of it") -> None:
        self._disk = disk
        self._path = path
        self._remedy = remedy
        self.header, self.summary, self.digest = self._check()

    def _check(self) -> tuple[Header, Summary, str]:
        first = self._row(next(self._disk.lines(self._path), b""), 1)
        try:
            header = read_header(first)
        except CheckpointError as error:
            raise self._unfit(f":1: {error}") from None
        digest = hashlib.sha256()
        held = b""
        for block in self._disk.chunks(self._path):
            # The last line is not part of the digest that it carries.
            at = block.rfind(b"\n", 0, len(block) - 1) + 1
            if at:
                digest.update(held)
                digest.update(block[:at])
                held = block[at:]
            else:
                held += block
        row = self._row(held, None)
        if "summary" not in row:
            raise self._unfit(": the plan has no summary: the listing was interrupted")
        summary, expected = read_summary(row)
        if digest.hexdigest() != expected:
            raise self._unfit(": the plan is damaged: its lines are not those that were written (the digest differs)")
        return header, summary, expected

    def _row(self, line: bytes, number: int | None) -> dict[str, Any]:
        row = _parse(line)
        if row is None:
            place = ": its last line" if number is None else f":{number}: this line"
            raise self._unfit(f"{place} is not JSON: this is not a whole plan file")
        return row

    def _unfit(self, what: str) -> CheckpointError:
        return CheckpointError(f"{self._path}{what}. It was left as it is: {self._remedy}.")

    def rows(self) -> Iterator[tuple[dict[str, Any], bool]]:
        """Every product's row, and whether anything is to be done or told about it."""
        for line in self._disk.lines(self._path):
            row = orjson.loads(line)
            if "product_id" in row:
                yield row, "unchanged" not in row

    def batches(self, but: Container[int] = (), only: Container[int] | None = None) -> Iterator[ProductPlan]:
        """The products that are to change or have failed, in product order, `but` those named, or `only` those."""
        for line in self._disk.lines(self._path):
            if not line.startswith(_PRODUCT) or b',"unchanged":' in line[:48]:
                continue
            product_id = int(line[len(_PRODUCT) : line.index(b",")])
            if product_id not in but and (only is None or product_id in only):
                yield read_line(orjson.loads(line))


def _interrupted(disk: Disk, path: Path, header: Header, now: float) -> bool:
    """Whether a listing under such a header lies there that is young enough to be gone on with."""
    if not disk.size(path) or disk.age(path, now) > HOUR:
        return False
    line = next(iter(disk.lines(path)), b"")
    first = _parse(line) if line.endswith(b"\n") else None
    if first is None:
        return False
    try:
        return read_header(first).fits(header)
    except CheckpointError:
        return False


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None
