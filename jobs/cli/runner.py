"""The engine at work under watch: a display and an ear for signals beside it, and a way to take the display away for a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

import imageferry

from . import signals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..output.progress import Display

T = TypeVar("T")


class EngineRunner:
    """One call of the engine; `said` holds the sentences that were shown while it worked."""

    def __init__(self, display: Display) -> None:
        self.said: set[str] = set()
        self.stop = imageferry.Stop()
        self._display = display
        self._progress = imageferry.Progress(notify=self._say)
        self._screen: anyio.Lock | None = None
        self._showing: anyio.CancelScope | None = None

    def run(self, act: Callable[..., Awaitable[T]]) -> T:
        """Run `act(progress=…, stop=…)` to its end in an event loop of its own.

        Raises FerryError as the engine does, KeyboardInterrupt at a signal before the first wait (`signals.as_interrupts`).
        """
        try:
            return anyio.run(self._run, act)
        except BaseExceptionGroup as group:
            if group.subgroup(KeyboardInterrupt) is None:
                raise
        raise KeyboardInterrupt

    async def _run(self, act: Callable[..., Awaitable[T]]) -> T:
        self._screen = anyio.Lock()
        made: list[T] = []
        failure: imageferry.FerryError | None = None
        async with anyio.create_task_group() as beside:
            beside.start_soon(signals.listen, self.stop, self._say)
            beside.start_soon(self._show, self._screen)
            try:
                made.append(await act(progress=self._progress, stop=self.stop))
            except imageferry.FerryError as error:
                failure = error
            finally:
                signals.over()
            beside.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return made[0]

    async def _show(self, screen: anyio.Lock) -> None:
        """Have the display follow, but while somebody else has the screen."""
        while True:
            async with screen:
                with anyio.CancelScope() as self._showing:
                    await self._display.follow(self._progress)
                    return

    async def pause_for(self, question: Callable[[], Awaitable[bool]]) -> bool:
        """Put a question with the display out of the way; a signal meanwhile means no."""
        assert self._screen is not None, "there is nothing to ask before the engine works"
        if self._showing is not None:
            self._showing.cancel()
        async with self._screen:
            with anyio.CancelScope() as scope:
                self.stop.on_stop(scope.cancel)
                return await question()
        return False

    def _say(self, sentence: str) -> None:
        self.said.add(sentence)
        self._display.say(sentence)
