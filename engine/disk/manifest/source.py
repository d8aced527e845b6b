"""Where a manifest's lines come from: a file, gzip or not, or a pipe that is copied to a private file first. Decides nothing."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from ...core.errors import Fault, ManifestError
from ...core.manifest.fields import MAX_LINE
from ..sorter import disk_faults, private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

    from ...core.manifest.json_lines import Lines

_BUFFER = 256 * 1024
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"


def open_source(given: str, copy: Path, stdin: BinaryIO | None, kept: ExitStack) -> ManifestSource:
    """Find a file that can be read as often as asked: the manifest itself, or a private copy of what comes through a pipe."""
    kept.callback(_remove, copy)
    if given == "-":
        return _copied("<stdin>", stdin or _standard_input(), copy)
    path = Path(given)
    with _unreadable(given):
        if stat.S_ISREG(path.stat().st_mode):
            return ManifestSource(given, path, copied=False)
        pipe = kept.enter_context(path.open("rb"))  # a folder fails here
    return _copied(given, pipe, copy)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:  # closed by whoever started this process
        raise ManifestError("<stdin>", [Fault(None, None, "can't be read: standard input is closed")])
    return sys.stdin.buffer


def _copied(name: str, pipe: BinaryIO, copy: Path) -> ManifestSource:
    with disk_faults(copy), private(copy) as file:
        while True:
            with _unreadable(name):
                piece = pipe.read(_BUFFER)
            if not piece:
                return ManifestSource(name, copy, copied=True)
            file.write(piece)


def _remove(path: Path) -> None:
    with suppress(OSError):  # a file left behind is swept by the next run
        path.unlink(missing_ok=True)


@contextmanager
def _unreadable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ManifestError(name, [Fault(None, None, f"can't be read: {error.strerror or error}")]) from error


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...


class ManifestSource:
    """The file with the raw bytes. Knows if it changed between two readings, by size, time of change and identity."""

    def __init__(self, name: str, file: Path, *, copied: bool) -> None:
        self.name = name
        self._file = file
        self._copied = copied
        self._stamp: tuple[int, ...] | None = None

    @contextmanager
    def lines(self, faults: list[Fault], digest: _Hash | None = None) -> Iterator[Lines]:
        """Open the input's lines, numbered from 1; notes what keeps it from being lines, and hashes the raw bytes."""
        with disk_faults(self._file) if self._copied else _unreadable(self.name), self._file.open("rb", 0) as raw:
            self._compare(raw.fileno())
            # The reader is held here: let go of at the last line, it would close the file under the comparison.
            reader = _unpacked(_Hashed(raw, digest) if digest else raw, self.name)
            yield _lines(reader, faults)
            self._compare(raw.fileno())

    def changed_error(self) -> ManifestError:
        """Say that the manifest is not what was checked."""
        return ManifestError(self.name, [Fault(None, None, "changed while it was in use: give the command again")])

    def _compare(self, handle: int) -> None:
        about = os.fstat(handle)
        stamp = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
        if self._stamp not in {None, stamp}:
            raise self.changed_error()
        self._stamp = stamp


class _Hashed(io.RawIOBase):
    """A raw file whose bytes are hashed as they are read."""

    def __init__(self, raw: io.FileIO, digest: _Hash) -> None:
        self._raw = raw
        self._digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = self._raw.readinto(buffer)
        self._digest.update(memoryview(buffer)[:count])
        return count


def _unpacked(raw: io.RawIOBase, name: str) -> io.BufferedReader[Any] | gzip.GzipFile:
    reader: io.BufferedReader[Any] = io.BufferedReader(raw, _BUFFER)
    packed = reader.peek(2)[:2] == _GZIP or name.lower().endswith(".gz")
    # Read by another buffer, lines that came out whole before the data breaks would be lost with the rest.
    return gzip.GzipFile(fileobj=reader) if packed else reader


def _lines(reader: io.BufferedReader[Any] | gzip.GzipFile, faults: list[Fault]) -> Iterator[tuple[int, bytes]]:
    """Number the lines; one that is too long becomes a fault and is passed over, as does a gzip that ends too early."""
    number = 0
    read = partial(reader.readline, MAX_LINE)
    try:
        if reader.peek(3)[:3] == _BOM:
            reader.read(3)
        for number, line in enumerate(iter(read, b""), 1):
            if len(line) < MAX_LINE or line.endswith(b"\n"):
                yield number, line
                continue
            faults.append(Fault(number, None, f"a line may have {MAX_LINE:,} bytes, this one has more"))
            while (line := read()) and not line.endswith(b"\n"):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error):
        faults.append(Fault(number + 1, None, "the gzip data is damaged, or ends in the middle"))
