"""A simulated disk. Written data survives the process; synced data survives a power cut.

A power cut keeps, of each file, what was synced and some of what was written after it, the last of that torn at any byte; of the
folder's changes (names made, renamed, removed) those before the last sync and the first few after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from pathlib import Path

    from .process import Process


class Inode:
    """One file: what the kernel has, what a power cut leaves for sure, and what is between."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.durable = b""
        self.pending: list[bytes | int] = []
        self.settled = 0
        self.modified = 0.0

    def write(self, data: bytes) -> None:
        self.data += data
        self.pending.append(bytes(data))

    def cut_to(self, size: int) -> None:
        del self.data[size:]
        self.pending.append(size)

    def settle(self, count: int) -> None:
        """The first so many pending changes are on the platters."""
        count = max(0, count)
        self.settled += count
        for change in self.pending[:count]:
            self.durable = self.durable[:change] if isinstance(change, int) else self.durable + change
        del self.pending[:count]

    def lose_power(self, chance: random.Random) -> None:
        kept, torn = chance.random(), chance.random()
        count = int(kept * (len(self.pending) + 1))
        following = self.pending[count] if count < len(self.pending) else b""
        self.settle(count)
        if isinstance(following, bytes):
            self.durable += following[: int(torn * (len(following) + 1))]
        self.pending.clear()
        self.data = bytearray(self.durable)


class Platters:
    """The persistent state: files and names. Names change in order, each change (name, inode or None)."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.names: dict[Path, Inode] = {}
        self.durable_names: dict[Path, Inode] = {}
        self.pending: list[dict[Path, Inode | None]] = []
        self.locked: dict[Path, Process] = {}
        self.removed: list[tuple[Path, bytes]] = []
        self.shown: Path | None = None

    def change(self, names: dict[Path, Inode | None]) -> None:
        """One change of the folder, as the kernel sees it."""
        _apply(self.names, names)
        self.pending.append(names)
        self._show(names)

    def _show(self, names: Iterable[Path]) -> None:
        """Mirror files below `shown` to the real disk, since images are uploaded from there."""
        for path in names:
            if self.shown is None or not path.is_relative_to(self.shown):
                continue
            inode = self.names.get(path)
            if inode is None:
                path.unlink(missing_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(inode.data)

    def put(self, path: Path, data: bytes | None) -> None:
        """Change a file between two processes; None deletes it."""
        inode = None if data is None else Inode()
        if inode is not None:
            inode.write(data or b"")
            inode.settle(1)
        self.change({path: inode})
        self.sync_names()

    def sync_names(self, of: Inode | None = None) -> None:
        """Make the folder's changes durable: all of them, or up to the one that gave this inode its name."""
        count = len(self.pending)
        if of is not None:
            made = [n for n, names in enumerate(self.pending) if any(inode is of for inode in names.values())]
            count = made[-1] + 1 if made else 0
        for names in self.pending[:count]:
            _apply(self.durable_names, names)
        del self.pending[:count]

    def lose_power(self) -> None:
        """Everything that was not synced is at the mercy of chance."""
        count = int(self.chance.random() * (len(self.pending) + 1))
        for names in self.pending[:count]:
            _apply(self.durable_names, names)
        self.pending.clear()
        before = set(self.names)
        self.names = dict(self.durable_names)
        for path in sorted(self.names):
            self.names[path].lose_power(self.chance)
        self._show(sorted(before | set(self.names)))

    def lose_all(self) -> None:
        """Somebody removed it all, or began on another machine."""
        for files in (self.names, self.durable_names):
            files.clear()
        self.pending.clear()

    def durable(self, path: Path) -> tuple[Inode | None, bytes]:
        """Return the bytes of a file that certainly survive a power cut."""
        inode = self.names.get(path)
        if inode is None or self.durable_names.get(path) is not inode:
            return None, b""
        return inode, inode.durable


def _apply(names: dict[Path, Inode], change: dict[Path, Inode | None]) -> None:
    for path, inode in change.items():
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode
