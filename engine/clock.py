"""The engine's one clock: the running loop's, in seconds; the simulation's loop has its own. Reads it, and does nothing else."""

from __future__ import annotations

from asyncio import get_running_loop


def loop_time() -> float:
    """What `anyio.current_time` says, without asking each time which loop is running: it is read several times a call."""
    return get_running_loop().time()
