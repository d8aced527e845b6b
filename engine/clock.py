"""The engine's one clock: the running loop's, in seconds; the simulation's loop has its own. And how a moment is shown."""

from __future__ import annotations

from asyncio import get_running_loop
from datetime import datetime


def loop_time() -> float:
    """What `anyio.current_time` says, without asking each time which loop is running: it is read several times a call."""
    return get_running_loop().time()


def shown_time(seconds: float) -> str:
    """A moment as every page and message shows it: `2026-11-27 02:15:03+01:00`, in this machine's zone."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")
