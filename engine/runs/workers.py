"""Workers over one source of work, as many as the API client can keep busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class WorkerPool:
    """Runs `step` in several tasks until it returns False; `size` returns the useful number of tasks."""

    def __init__(self, size: Callable[[], int], step: Callable[[], Awaitable[bool]]) -> None:
        self._size = size
        self._step = step
        self._started = 0

    async def run(self) -> None:
        """Return when every worker has found no more work.

        Raises what `step` raises, gathered by the task group.
        """
        async with anyio.create_task_group() as tasks:
            self._start(tasks)
            while self._started < self._size():
                self._start(tasks)

    def _start(self, tasks: anyio.abc.TaskGroup) -> None:
        self._started += 1
        tasks.start_soon(self._work, tasks)

    async def _work(self, tasks: anyio.abc.TaskGroup) -> None:
        while await self._step():
            if self._started < self._size():
                self._start(tasks)
