"""The disk as one process has it: counts its steps, fails and ends the process where the story says so.

It implements the contract of `imageferry.disk.interface.Disk`: a file's sync covers its name, `publish` renames and syncs the folder.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from typing import TYPE_CHECKING

import anyio

from imageferry.disk.filesystem import disk_error

from .platters import Inode, Platters
from .process import Crashed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .process import Process

_SYNC = (0.0005, 0.03)
"""Duration of a sync in seconds."""


class SimFile:
    """An open file of one process."""

    def __init__(self, disk: SimDisk, path: Path, inode: Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode

    def write(self, data: bytes) -> None:
        disk = self._disk
        part = data[: int(disk.platters.chance.random() * len(data))]
        disk.act(self._path, "writing", lambda: self._inode.write(part))
        self._inode.write(data)
        self._inode.modified = disk.process.loop.wall()

    async def sync(self) -> None:
        disk = self._disk
        disk.act(self._path, "syncing")
        count = self._inode.settled + len(self._inode.pending)
        await disk.spin()
        self._inode.settle(count - self._inode.settled)
        disk.platters.sync_names(self._inode)

    def close(self) -> None:
        self._disk.process.alive()


class SimDisk:
    """The disk as one process has it. `act` is called before each change: it counts, and may fail or end the process."""

    def __init__(self, platters: Platters, process: Process) -> None:
        self.platters = platters
        self.process = process
        self.acts = 0
        self.crash_at: tuple[int, Callable[[], None]] | None = None
        self.fail_at: tuple[int, int, int] | None = None

    def act(self, path: Path, doing: str, half: Callable[[], None] | None = None) -> None:
        """Take one step; `half` leaves it half done.

        Raises Crashed where the process ends here, DiskError where the disk fails.
        """
        self.process.alive()
        self.acts += 1
        if self.crash_at is not None and self.acts == self.crash_at[0]:
            if half is not None:
                half()
            self.crash_at[1]()
            raise Crashed
        if self.fail_at is not None and self.fail_at[0] <= self.acts < self.fail_at[0] + self.fail_at[1]:
            number = self.fail_at[2]
            if half is not None and number == errno.ENOSPC:
                half()
            raise disk_error(path, OSError(number, os.strerror(number)), doing)

    async def spin(self) -> None:
        """Wait for a sync; like the real one it is not cancelled half-way."""
        with anyio.CancelScope(shield=True):
            await anyio.sleep(self.platters.chance.uniform(*_SYNC))
        self.process.alive()

    def append(self, path: Path) -> SimFile:
        self.act(path, "opening")
        return SimFile(self, path, self._made(path))

    def create(self, path: Path) -> SimFile:
        self.act(path, "opening")
        inode = self._made(path)
        if inode.data:
            inode.cut_to(0)
        return SimFile(self, path, inode)

    def _made(self, path: Path) -> Inode:
        inode = self.platters.names.get(path)
        if inode is None:
            inode = Inode()
            inode.modified = self.process.loop.wall()
            self.platters.change({path: inode})
        return inode

    async def replace(self, made: Path, path: Path) -> None:
        self._rename(made, path)
        self.act(path, "renaming")
        await self.spin()
        self.platters.sync_names()

    async def publish_new(self, made: Path, path: Path) -> bool:
        if path in self.platters.names:
            return False
        await self.replace(made, path)
        return True

    def is_link(self, path: Path) -> bool:
        self.process.alive()
        return False

    def find_link(self, folder: Path, *, deep: bool) -> Path | None:
        self.process.alive()
        return None

    def rename(self, path: Path, to: Path) -> None:
        self._rename(path, to)

    def _rename(self, path: Path, to: Path) -> None:
        self.act(path, "renaming")
        inode = self.platters.names.get(path)
        if inode is None:
            raise disk_error(path, FileNotFoundError(errno.ENOENT, "No such file or directory"), "renaming")
        self.platters.removed.append((path, bytes(inode.data)))
        self.platters.change({path: None, to: inode})

    def remove(self, path: Path) -> None:
        self.act(path, "removing")
        if path in self.platters.names:
            self.platters.removed.append((path, bytes(self.platters.names[path].data)))
            self.platters.change({path: None})

    def truncate(self, path: Path, size: int) -> None:
        self.act(path, "truncating")
        inode = self.platters.names.get(path)
        if inode is None:
            raise disk_error(path, FileNotFoundError(errno.ENOENT, "No such file or directory"), "truncating")
        if size != len(inode.data):
            inode.cut_to(size)

    def lines(self, path: Path, offset: int = 0) -> Iterator[bytes]:
        self.act(path, "reading")
        inode = self.platters.names.get(path)
        if inode is None:
            raise disk_error(path, FileNotFoundError(errno.ENOENT, "No such file or directory"), "reading")
        yield from io.BytesIO(bytes(inode.data[offset:]))

    def chunks(self, path: Path) -> Iterator[bytes]:
        yield b"".join(self.lines(path))

    def make_folder(self, path: Path) -> None:
        self.act(path, "making the folder")

    def size(self, path: Path) -> int | None:
        self.process.alive()
        inode = self.platters.names.get(path)
        return None if inode is None else len(inode.data)

    def age(self, path: Path, now: float) -> float:
        self.process.alive()
        inode = self.platters.names.get(path)
        if inode is None:
            raise disk_error(path, FileNotFoundError(errno.ENOENT, "No such file or directory"), "looking")
        return now - inode.modified

    @contextlib.contextmanager
    def lock(self, path: Path) -> Iterator[bool]:
        self.process.alive()
        holder = self.platters.locked.get(path)
        if holder is not None and not holder.dead and holder is not self.process:
            yield False
            return
        self.platters.locked[path] = self.process
        try:
            yield True
        finally:
            if not self.process.dead:
                self.platters.locked.pop(path, None)
