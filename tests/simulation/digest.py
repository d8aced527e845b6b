"""One line a seed: a digest over every call with its virtual time. Two versions of the engine that print the same lines make the same calls.

`python -m tests.simulation --digest --start N --seeds M > before`, the same after a change, then `diff`.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from typing import TYPE_CHECKING

from .runner import workplace
from .world import simulate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .history import Sent
    from .world import World

_CHUNK = 25
_LENGTH = 16


def digest(world: World) -> str:
    """Return a digest over the calls, the changes of the shop and how each start ended, all with their times."""
    told = hashlib.sha256()
    for sent in world.line.sent:
        told.update(repr(_call(sent)).encode())
    for change in world.shop.happenings:
        told.update(repr((change.at, change.kind, change.product, change.images, change.after)).encode())
    for start in world.starts:
        told.update(repr((start.began, start.ended, start.ending)).encode())
    return told.hexdigest()[:_LENGTH]


def _call(sent: Sent) -> tuple[object, ...]:
    asked = sent.at, sent.process, sent.method, sent.path, sorted(sent.body.items())
    return (*asked, sent.told, sent.told_at, sent.status, sent.committed_at, sent.images)


def lines(seeds: range, processes: int) -> Iterator[str]:
    """Yield each seed's line: the seed, its number of calls, its digest; at the end one digest of them all."""
    chunks = [seeds[n : n + _CHUNK] for n in range(0, len(seeds), _CHUNK)]
    told = hashlib.sha256()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for chunk in pool.imap(_lines, chunks):
            for line in chunk:
                told.update(line.encode())
                yield line
    yield f"all {len(seeds)}: {told.hexdigest()[:_LENGTH]}"


def _lines(seeds: Iterable[int]) -> list[str]:
    made = []
    with workplace() as folder:
        for seed in seeds:
            world = simulate(seed, folder)
            made.append(f"{seed} {len(world.line.sent)} {digest(world)}")
    return made
