#!/usr/bin/env bash
# Expected: callers that wait for an aiolimiter bucket are served first come, first served, and a bucket of N lets N through a window.
# Seen with aiolimiter 1.3.0, Python 3.11: the smallest amount is served first, whoever came first, and a full bucket of 150 in 30 s
# lets about twice its size through in its first 30 s. A large bucket is no substitute for the quota of a store that counts windows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check aiolimiter==1.3.0
"$folder/env/bin/python" - <<'PY'
import asyncio
from importlib.metadata import version

from aiolimiter import AsyncLimiter


async def served(amounts: list[float]) -> list[float]:
    """The order in which waiters are let through that came in the order of `amounts`."""
    limiter, order = AsyncLimiter(4, 1.0), []
    await limiter.acquire(4)

    async def wait(amount: float) -> None:
        await limiter.acquire(amount)
        order.append(amount)

    async with asyncio.TaskGroup() as group:
        for amount in amounts:
            group.create_task(wait(amount))
            await asyncio.sleep(0.01)
    return order


async def let_through(size: int, window: float) -> int:
    """How many of endless callers get through in the first window."""
    limiter, count = AsyncLimiter(size, window), 0
    loop = asyncio.get_running_loop()
    end = loop.time() + window
    while True:
        await limiter.acquire()
        if loop.time() >= end:
            return count
        count += 1


came = [3.0, 2.0, 1.0]
order = asyncio.run(served(came))
first = asyncio.run(let_through(150, 3.0))
print(f"aiolimiter {version('aiolimiter')}")
print(f"waiters came as {came}, were served as {order}")
print(f"a bucket of 150 per window let {first} through in the first window")
assert order == sorted(came), "waiters are no longer served smallest first"
assert first > 280, "a full bucket no longer lets about twice its size through in its first window"
PY
