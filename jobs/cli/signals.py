"""SIGINT, SIGTERM and SIGHUP: the first asks a run to stop, the second cuts it, the third ends the process at once.

A run that is over hears one more without a word, so that its report and its --json record are written whole.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    import imageferry

DRAINING = "asked to stop: the calls in flight are finished first (once more cuts them off)"
CUTTING = "cut off; what was in flight is looked for when the same command is given again"


def heard() -> list[signal.Signals]:
    """The signals that mean "stop"; a hang-up that was told to be ignored (nohup) stays so."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt at each signal until `listen` runs. The handler is not Python's own: asyncio would replace that one."""
    if not _in_main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in heard()}
    for number in before:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def over() -> None:
    """What is left is to tell how it ended: the next signal is not heard, and the one after it kills as the system does."""
    if _in_main_thread():
        for number in heard():
            signal.signal(number, _unheard)


def _unheard(_number: int, _frame: FrameType | None) -> None:
    _let_kill()


def _let_kill() -> None:
    for number in heard():
        signal.signal(number, signal.SIG_DFL)


async def listen(stop: imageferry.Stop, say: Callable[[str], None]) -> None:
    """Pass the first two signals on to the run; then the third meets the system's own way, which kills.

    The handlers are set here, not by anyio's receiver: that leaves the system's behind when it closes, and a signal that
    comes then would cut the report off. They stay until `over`.
    """
    if not _in_main_thread():
        return
    import asyncio  # noqa: PLC0415  # what never waits for signals does not pay for it

    loop, came = asyncio.get_running_loop(), asyncio.Queue[int]()

    def hear(number: int, _frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
            loop.call_soon_threadsafe(came.put_nowait, number)

    for number in heard():
        signal.signal(number, hear)
    cut = False
    while not cut:
        await came.get()
        cut = stop.stopping
        say(CUTTING if cut else DRAINING)
        stop.request()
    _let_kill()
