"""`python -m tests.simulation --seed N -v`: one story. `python -m tests.simulation --seeds 50000`: the soak. `--digest`: compare two versions."""

from __future__ import annotations

import argparse
import sys
import time

from . import bad_engines, digest, story
from .laws import breaches
from .runner import Tally, by_law, soak, workplace
from .world import simulate


def main() -> int:
    """Run what the arguments ask for; 1 where a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="live through this one seed")
    parser.add_argument("--seeds", type=int, default=3000, help="so many seeds")
    parser.add_argument("--start", type=int, default=0, help="from this one on")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--engine", choices=sorted(bad_engines.ENGINES), help="with this known-bad engine swapped in")
    parser.add_argument("--digest", action="store_true", help="judge nothing; print a digest of each seed's calls")
    parser.add_argument("--product", type=int, action="append", default=[], help="tell this product's story, too")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell the story even of a seed that keeps all laws"
    )
    asked = parser.parse_args()
    with bad_engines.swapped_in(asked.engine):
        if asked.digest:
            return _digests(asked)
        return _one(asked) if asked.seed is not None else _many(asked)


def _digests(asked: argparse.Namespace) -> int:
    seeds = range(asked.start, asked.start + asked.seeds) if asked.seed is None else range(asked.seed, asked.seed + 1)
    for line in digest.lines(seeds, asked.processes):
        _say(line)
    return 0


def _one(asked: argparse.Namespace) -> int:
    with workplace() as folder:
        world = simulate(asked.seed, folder)
    found = breaches(world)
    if found or asked.verbose:
        _say("\n".join(story.told(world, found)))
    for number in asked.product:
        _say("\n".join(story.product(world, number)))
    _say(f"seed {asked.seed}: {len(found)} breaches")
    return bool(found)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _many(asked: argparse.Namespace) -> int:
    began = time.monotonic()
    told: set[int] = set()

    def tell(tally: Tally) -> None:
        for seed in sorted(tally.broken.keys() - told):
            _say(f"python -m tests.simulation --seed {seed} -v")
            told.add(seed)
        if tally.seeds % 500 < 25:
            rate = tally.seeds / (time.monotonic() - began)
            _say(f"{tally.seeds} seeds, {len(tally.broken)} broken, {rate:.0f} a second")

    tally = soak(range(asked.start, asked.start + asked.seeds), asked.processes, tell)
    _say("\n".join(by_law(tally)))
    _say(
        f"{tally.seeds} seeds from {asked.start} in {time.monotonic() - began:.0f} s ({tally.seconds / tally.seeds * 1000:.0f} ms of CPU each)"
    )
    _say("processes ended: " + ", ".join(f"{count} {ending}" for ending, count in tally.endings.most_common()))
    return bool(tally.broken)


if __name__ == "__main__":
    sys.exit(main())
