"""The journal on disk: intents before they are sent, outcomes after. It knows lines and groups, not what they mean.

A write to the store waits for the group fsync that covers its intent; outcomes ride along with the next group. One
fsync serves all that came while the one before it was under way (performance.md section 1, point 5).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ...core.checkpoint.records import seal
from ...core.errors import DiskError

if TYPE_CHECKING:
    from ..interface import AppendOnlyFile

LONGEST_PAUSE = 0.01


class Journal:
    """Appends events in groups. `run` must be running for anything to reach the disk.

    It waits on the loop's own futures: an Event in between costs more than the rest of an intent.
    """

    def __init__(self, file: AppendOnlyFile) -> None:
        self._file = file
        self._lines: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._wake: asyncio.Future[None] | None = None
        self._failed: DiskError | None = None
        self._closing = False

    def append(self, row: dict[str, Any]) -> None:
        """Append an outcome; it is with the kernel a moment later."""
        self._lines.append(seal(row))
        if self._wake is not None:
            self._wake_up()

    async def write_ahead(self, row: dict[str, Any]) -> None:
        """Append an intent and wait until it would survive a power cut.

        Raises DiskError when it can't be kept; then nothing may be sent.
        """
        self._lines.append(seal(row))
        if self._failed is None:
            covered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(covered)
            if self._wake is not None:
                self._wake_up()
            await covered
        if self._failed is not None:
            raise self._failed

    async def run(self) -> None:
        """Write and sync group by group until closed.

        Raises DiskError once the disk fails; everybody who waits gets it too.
        """
        try:
            while True:
                if not self._lines and not self._closing:
                    self._wake = asyncio.get_running_loop().create_future()
                    await self._wake
                    self._wake = None
                if not self._lines:
                    return
                await self._group()
        except DiskError:
            _release(self._waiting)
            raise

    async def _group(self) -> None:
        lines, self._lines = self._lines, []
        covered, self._waiting = self._waiting, []
        took = 0.0
        try:
            if lines:
                self._file.write(b"".join(lines))
            if covered or self._closing:
                clock = asyncio.get_running_loop().time
                began = clock()
                await self._file.sync()
                took = clock() - began
        except DiskError as error:
            self._failed = error
            _release(covered)
            raise
        _release(covered)
        if took and not self._closing:
            # Half of the time at most is spent syncing: groups grow with the load, and what is lost is one sync's time.
            await asyncio.sleep(min(took, LONGEST_PAUSE))

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def close(self) -> None:
        """Let `run` write what is left and end."""
        self._closing = True
        self._wake_up()

    def flush(self) -> None:
        """Hand what is left to the kernel at once, as the last act before the process goes."""
        if self._lines and self._failed is None:
            lines, self._lines = self._lines, []
            self._file.write(b"".join(lines))


def _release(waiting: list[asyncio.Future[None]]) -> None:
    for covered in waiting:
        if not covered.done():  # whoever waited may have been cancelled
            covered.set_result(None)
