"""Workers over one source of work, as many as the gate finds worth having, and more when it finds more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Crew:
    """Runs `step` in several tasks until it says that there is no more; `wanted` tells how many tasks are worth having now."""

    def __init__(self, wanted: Callable[[], int], step: Callable[[], Awaitable[bool]]) -> None:
        self._wanted = wanted
        self._step = step
        self._hired = 0

    async def run(self) -> None:
        """Return when every worker has found no more work.

        Raises what `step` raises, gathered by the task group.
        """
        async with anyio.create_task_group() as tasks:
            self._hire(tasks)
            while self._hired < self._wanted():
                self._hire(tasks)

    def _hire(self, tasks: anyio.abc.TaskGroup) -> None:
        self._hired += 1
        tasks.start_soon(self._work, tasks)

    async def _work(self, tasks: anyio.abc.TaskGroup) -> None:
        while await self._step():
            if self._hired < self._wanted():
                self._hire(tasks)
