"""SIGINT and SIGTERM: the first asks a run to stop, the second cuts it, the third ends the process at once."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import engine

_BOTH = (signal.SIGINT, signal.SIGTERM)
DRAINING = "asked to stop: the calls in flight are finished first (once more cuts them off)"
CUTTING = "cut off; what was in flight is looked for when the same command is given again"


@contextmanager
def as_interrupts() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt like SIGINT, for the time before the engine listens by itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _BOTH}
    for number in _BOTH:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def listen(stop: engine.Stop, say: Callable[[str], None]) -> None:
    """Pass the first two signals on to the run; then the third meets the system's own way, which kills."""
    import anyio  # noqa: PLC0415  # what never waits for signals does not pay for it

    with anyio.open_signal_receiver(*_BOTH) as signals:
        async for _ in signals:
            cut = stop.draining
            say(CUTTING if cut else DRAINING)
            stop.ask()
            if cut:
                break
    for number in _BOTH:
        signal.signal(number, signal.SIG_DFL)
