"""The clock that the simulations run on."""

import asyncio

import anyio
import pytest

from .virtual import BEGIN, DeadlockError, run


def test_hours_pass_at_once():
    """Sleeping takes just the time that it should on the loop's own clock, and tasks wake in order."""
    woken = []

    async def sleeper(seconds: float) -> None:
        await anyio.sleep(seconds)
        woken.append((seconds, round(anyio.current_time() - BEGIN, 2)))

    async def scene() -> None:
        async with anyio.create_task_group() as group:
            for seconds in (7200.0, 1.0, 3600.5):
                group.start_soon(sleeper, seconds)

    run(scene)
    assert woken == [(1.0, 1.0), (3600.5, 3600.5), (7200.0, 7200.0)]


def test_a_deadlock_is_told():
    """A run in which nothing can ever happen again doesn't hang the tests."""

    async def scene() -> None:
        await anyio.Event().wait()

    with pytest.raises(DeadlockError):
        run(scene)


def test_a_cancelled_timer_does_not_hold_the_clock():
    """Time jumps to the next timer that still counts."""

    async def scene() -> float:
        asyncio.get_running_loop().call_later(5.0, lambda: None).cancel()
        with anyio.move_on_after(10.0):
            await anyio.sleep(1000.0)
        return anyio.current_time() - BEGIN

    assert 10.0 <= run(scene) < 10.1


def test_a_machine_may_sleep():
    """A jump of the clock makes due what was to come."""

    async def scene() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, loop.jump, 500.0)
        await anyio.sleep(100.0)
        return anyio.current_time() - BEGIN

    assert 501.0 <= run(scene) < 502.0
