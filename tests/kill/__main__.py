"""The kill table by one command: `python -m tests.kill --kills 300` kills real runs and prints what became of them."""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import anyio

from .harness import PHASES, Story, one_run


def main() -> int:
    """Run until so many kills have hit; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="how many SIGKILLs in all")
    parser.add_argument("--each", type=int, default=10, help="kills a run")
    parser.add_argument("--seed", type=int, default=0, help="of the first run; each run has the next one")
    asked = parser.parse_args()
    stories = anyio.run(_all, asked.kills, asked.each, asked.seed)
    _show(stories)
    return int(any(story.wrong for story in stories))


async def _all(kills: int, each: int, seed: int) -> list[Story]:
    stories: list[Story] = []
    with tempfile.TemporaryDirectory() as folder:

        async def work(first: int) -> None:
            number = first
            while sum(len(story.kills) for story in stories) < kills:
                story = await one_run(Path(folder), number, each)
                stories.append(story)
                print(
                    f"seed {story.seed}: {len(story.kills)} kills, exit {story.exit_code}, {'; '.join(story.wrong) or 'as asked'}",
                    flush=True,
                )
                number += 2

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work, seed)
            tasks.start_soon(work, seed + 1)
    return stories


def _show(stories: list[Story]) -> None:
    hits = Counter(phase for story in stories for phase in story.kills)
    print(f"\n{'killed while':<14}{'times':>6}")
    for phase in PHASES:
        print(f"{phase:<14}{hits[phase]:>6}")
    wrong = sum(bool(story.wrong) for story in stories)
    print(
        f"{'in all':<14}{hits.total():>6}   {len(stories)} runs, {sum(s.starts for s in stories)} starts, {wrong} runs not as asked"
    )


if __name__ == "__main__":
    raise SystemExit(main())
