"""Every seed replays to the bit, wherever the interpreter happens to put its objects in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Fills every size class of the small object allocator and frees half of it in no order, so that what is allocated next lies
# in no order either. After the imports, which would use up what is free.
SCATTERED = """
import random, sys
from tests.simulation.__main__ import main
chance = random.Random(sys.argv.pop(1))
kept = [bytes(chance.randrange(470)) for _ in range(200_000)]
chance.shuffle(kept)
del kept[::2]
sys.exit(main())
"""
LAYOUTS = ("1", "2", "3")


def digests(layout: str, start: int, seeds: int) -> list[str]:
    """Return the digest lines of these seeds from a process with its memory laid out this way."""
    asked = ["--digest", "--start", str(start), "--seeds", str(seeds), "--processes", "1"]
    command = [sys.executable, "-c", SCATTERED, layout, *asked]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": layout}, capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()


@pytest.mark.parametrize(("start", "seeds"), [(600, 25), (619, 1), (1926, 1)])
def test_a_seed_replays_to_the_bit_in_any_memory_layout(start: int, seeds: int) -> None:
    """The same seed makes the same calls at the same virtual times in processes that hash and allocate differently."""
    told = [digests(layout, start, seeds) for layout in LAYOUTS]
    assert len(told[0]) == seeds + 1
    assert told[0] == told[1] == told[2]
