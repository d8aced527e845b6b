"""Whole runs of the shipped engine in virtual time, everything that can go wrong drawn from a seed; and engines that must be caught."""

from __future__ import annotations

import pytest

from . import bad_engines
from .laws import breaches
from .runner import by_law, try_seeds, workplace
from .world import simulate

SEEDS = 3000
QUICK = 1000
"""So many seeds are tried by a plain `pytest`, the others by `pytest -m slow`."""
CHUNK = 100
CAUGHT_WITHIN = 300


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "start",
    [pytest.param(start, marks=pytest.mark.slow if start >= QUICK else ()) for start in range(0, SEEDS, CHUNK)],
)
def test_every_law_holds_in_every_story(start: int) -> None:
    """Converged, nothing lost, nothing doubled, nobody else's touched, and the summary true: whatever went wrong."""
    tally = try_seeds(range(start, start + CHUNK))
    commands = "\n".join(f"python -m tests.simulation --seed {seed} -v" for seed in sorted(tally.broken)[:3])
    assert not tally.broken, "\n".join(by_law(tally)) + "\n" + commands


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", sorted(bad_engines.ENGINES))
def test_a_known_bad_engine_is_caught(engine: str) -> None:
    """The law that it breaks is broken within 300 seeds in which the shipped engine keeps it."""
    law = bad_engines.CAUGHT_BY[engine]
    with bad_engines.swapped_in(engine):
        for seed in range(CAUGHT_WITHIN):
            tally = try_seeds([seed])
            if any(breach.law == law for breach in tally.broken.get(seed, ())):
                return
    pytest.fail(f"no law was seen broken by {engine} within {CAUGHT_WITHIN} seeds")


@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_a_seed_tells_its_story_again(seed: int) -> None:
    """The same seed gives the same calls at the same times, the same galleries and the same breaches."""
    stories = []
    for _ in range(2):
        with workplace() as folder:
            world = simulate(seed, folder)
        calls = [(call.at, call.method, call.path, call.told, call.status) for call in world.line.sent]
        stories.append((calls, [(h.at, h.after) for h in world.shop.happenings], breaches(world)))
    assert stories[0] == stories[1]
