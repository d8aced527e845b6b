"""Real processes, killed: a few dozen times here, hundreds by `python -m tests.kill`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness import one_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
async def test_a_run_killed_ten_times_ends_as_asked_with_nothing_doubled(tmp_path: Path, seed: int) -> None:
    """SIGKILL while starting, listing, applying, draining, compacting; the same command goes on each time."""
    story = await one_run(tmp_path, seed, 10)
    assert story.wrong == []
    assert story.exit_code == 0
    assert len(story.kills) >= 4
