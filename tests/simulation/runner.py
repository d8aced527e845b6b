"""Many seeds over a few processes: what was broken, law by law, and how long it took."""

from __future__ import annotations

import gc
import multiprocessing
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .laws import Breach, breaches
from .world import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_CHUNK = 25
_LONG = 100


@dataclass
class Tally:
    """Result of a number of seeds; `broken` is seed -> breaches."""

    seeds: int = 0
    broken: dict[int, list[Breach]] = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.broken.update(other.broken)
        self.endings.update(other.endings)
        self.seconds += other.seconds


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder for manifests whose name is always as long: it is written into files, and where those tear is drawn by their length."""
    with tempfile.TemporaryDirectory(prefix="imageferry-") as made:
        folder = Path(made, "simulation".ljust(_LONG - len(made), "-"))
        folder.mkdir()
        yield folder


def try_seeds(seeds: Iterable[int]) -> Tally:
    """Live through these seeds one by one, in a folder of their own."""
    tally, began = Tally(), time.process_time()
    gc.freeze()
    with workplace() as folder:
        for seed in seeds:
            world = simulate(seed, folder)
            tally.seeds += 1
            tally.endings.update(start.ending for start in world.starts)
            found = breaches(world)
            if found:
                tally.broken[seed] = found
    tally.seconds = time.process_time() - began
    return tally


def soak(seeds: range, processes: int, tell: Callable[[Tally], None]) -> Tally:
    """Spread the seeds over processes; `tell` hears how far it is."""
    total = Tally()
    chunks = [seeds[n : n + _CHUNK] for n in range(0, len(seeds), _CHUNK)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for tally in pool.imap_unordered(try_seeds, chunks):
            total.add(tally)
            tell(total)
    return total


def by_law(tally: Tally) -> Iterator[str]:
    """The distinct failures, one line a law with its first seeds and one example."""
    laws: dict[str, dict[int, Breach]] = {}
    for seed, found in sorted(tally.broken.items()):
        for breach in found:
            laws.setdefault(breach.law, {}).setdefault(seed, breach)
    for law, seeds in sorted(laws.items(), key=lambda item: -len(item[1])):
        yield f"{law}: {len(seeds)} seeds ({', '.join(map(str, list(seeds)[:8]))})"
        for seed, breach in list(seeds.items())[:4]:
            yield f"    {seed}: product {breach.product}: {breach.text[:260]}"
