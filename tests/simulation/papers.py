"""Files on the disk between two processes, read without the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    import re
    from pathlib import Path

    from .platters import Platters


class Papers:
    """Checkpoint, journal and plan of the manifest, and every journal there ever was."""

    def __init__(self, platters: Platters, folder: Path) -> None:
        self._platters = platters
        self.checkpoint = folder / "m.jsonl.checkpoint.json"
        self.journal = folder / "m.jsonl.checkpoint.json.journal"
        self.plan = folder / "m.jsonl.checkpoint.json.plan"
        self._kept: list[tuple[str, bytes]] = []

    def unfinished(self) -> bool:
        """Return True if a run is under way: a journal whose run the checkpoint doesn't know as over."""
        journal, checkpoint = self._run_of(self.journal), self._run_of(self.checkpoint)
        return journal is not None and journal != checkpoint

    def run(self) -> str | None:
        """ForbiddenScope journal lies there."""
        return self._run_of(self.journal)

    def undone(self) -> bool:
        """Return True if the run's checkpoint knows that an undo has taken it back."""
        first, whole, _ = self._read(self.checkpoint).partition(b"\n")
        return bool(whole) and orjson.loads(first).get("state") == "undone"

    def half_listed(self) -> bool:
        """Return True if a listing lies there that no run has begun to carry out: the next run may go on with it, blind to what changed since."""
        first, whole, _ = self._read(self.plan).partition(b"\n")
        return bool(whole) and orjson.loads(first)["resumable"] and self._run_of(self.journal) is None

    def to_retry(self, now: float) -> bool:
        """Return True if the run that is over left failures: given again within an hour of its listing, it may look at those alone."""
        first, whole, _ = self._read(self.checkpoint).partition(b"\n")
        header = orjson.loads(first) if whole else {}
        return bool(header.get("failed")) and now - header["listed_at"] < 3600.0

    def keep_journal(self, process: int) -> None:
        """Take a copy of the journal as a process left it."""
        self._kept.append((f"after process {process}", self._read(self.journal)))

    def journals(self) -> list[tuple[str, bytes]]:
        """Every journal: as each process left it, and as each run's was at its end."""
        over = [data for path, data in self._platters.removed if path == self.journal]
        return [*self._kept, *((f"{number} of those that were over", data) for number, data in enumerate(over, 1))]

    def numbers(self, pattern: re.Pattern[bytes]) -> set[int]:
        """Every number that a pattern finds in any journal."""
        return {int(found) for _, data in self.journals() for found in pattern.findall(data)}

    def _read(self, path: Path) -> bytes:
        inode = self._platters.names.get(path)
        return b"" if inode is None else bytes(inode.data)

    def _run_of(self, path: Path) -> str | None:
        first, whole, _ = self._read(path).partition(b"\n")
        return orjson.loads(first)["run"] if whole else None
