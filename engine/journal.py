"""The journal on disk: intents before they are sent, outcomes after. It knows lines and groups, not what they mean.

A write to the store waits for the group fsync that covers its intent; outcomes ride along with the next group. One
fsync serves all that came while the one before it was under way (performance.md section 1, point 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from .core.errors import DiskError
from .core.record import seal

if TYPE_CHECKING:
    from .disk import Appending

LONGEST_PAUSE = 0.01


class Journal:
    """Appends events in groups. `run` must be running for anything to reach the disk."""

    def __init__(self, file: Appending) -> None:
        self._file = file
        self._lines: list[bytes] = []
        self._intents = False
        self._wake: anyio.Event | None = None
        self._covered = anyio.Event()
        self._failed: DiskError | None = None
        self._closing = False

    def note(self, row: dict[str, Any]) -> None:
        """Append an outcome; it is with the kernel a moment later."""
        self._lines.append(seal(row))
        if self._wake is not None:
            self._wake.set()

    async def intend(self, row: dict[str, Any]) -> None:
        """Append an intent and wait until it would survive a power cut.

        Raises DiskError when it can't be kept; then nothing may be sent.
        """
        self._lines.append(seal(row))
        self._intents = True
        covered = self._covered
        if self._wake is not None:
            self._wake.set()
        if self._failed is None:
            await covered.wait()
        if self._failed is not None:
            raise self._failed

    async def run(self) -> None:
        """Write and sync group by group until closed.

        Raises DiskError once the disk fails; everybody who waits gets it too.
        """
        try:
            while True:
                if not self._lines and not self._closing:
                    self._wake = anyio.Event()
                    await self._wake.wait()
                    self._wake = None
                if not self._lines:
                    return
                await self._group()
        except DiskError:
            self._covered.set()
            raise

    async def _group(self) -> None:
        lines, self._lines = self._lines, []
        covered, self._covered = self._covered, anyio.Event()
        intents, self._intents = self._intents, False
        took = 0.0
        try:
            if lines:
                self._file.write(b"".join(lines))
            if intents or self._closing:
                began = anyio.current_time()
                await self._file.sync()
                took = anyio.current_time() - began
        except DiskError as error:
            self._failed = error
            covered.set()
            raise
        covered.set()
        if took and not self._closing:
            # Half of the time at most is spent syncing: groups grow with the load, and what is lost is one sync's time.
            await anyio.sleep(min(took, LONGEST_PAUSE))

    def close(self) -> None:
        """Let `run` write what is left and end."""
        self._closing = True
        if self._wake is not None:
            self._wake.set()

    def flush(self) -> None:
        """Hand what is left to the kernel at once, as the last act before the process goes."""
        if self._lines and self._failed is None:
            lines, self._lines = self._lines, []
            self._file.write(b"".join(lines))
