"""The disk as the engine needs it: the seam at which tests put another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator
    from pathlib import Path


class AppendOnlyFile(Protocol):
    """A file that only grows."""

    def write(self, data: bytes) -> None:
        """Hand bytes to the kernel: they survive the process, not yet a power cut."""

    async def sync(self) -> None:
        """Wait until what was written survives a power cut."""

    def close(self) -> None:
        """Give the file back."""


class Disk(Protocol):
    """What the engine asks of a disk; `LocalDisk` says what each must do."""

    def append(self, path: Path) -> AppendOnlyFile:
        """A file to go on with."""

    def create(self, path: Path) -> AppendOnlyFile:
        """A new file."""

    async def replace(self, made: Path, path: Path) -> None:
        """Rename so that a power cut can't split it."""

    async def publish_new(self, made: Path, path: Path) -> bool:
        """Rename, but for a name that is taken: then False, and nothing is changed."""

    def is_link(self, path: Path) -> bool:
        """Whether it is a symbolic link."""

    def find_link(self, folder: Path, *, deep: bool) -> Path | None:
        """A symbolic link in the folder, or with `deep` anywhere below it."""

    def lines(self, path: Path, offset: int = 0) -> Iterator[bytes]:
        """Lines with their ends."""

    def chunks(self, path: Path) -> Iterator[bytes]:
        """The file in large pieces."""

    def size(self, path: Path) -> int | None:
        """Bytes, None for no file."""

    def age(self, path: Path, now: float) -> float:
        """Seconds since it was written."""

    def truncate(self, path: Path, size: int) -> None:
        """Take off the end."""

    def rename(self, path: Path, to: Path) -> None:
        """Set aside."""

    def remove(self, path: Path) -> None:
        """Remove if there."""

    def make_folder(self, path: Path) -> None:
        """Make a folder that only its owner may enter, if it is not there."""

    def lock(self, path: Path) -> contextlib.AbstractContextManager[bool]:
        """Hold a lock, or yield False."""
