"""Whole runs at full size: the peak memory of a night in which nothing changed, and whether a plan tells its calls exactly."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageferry.jobs.bench import manifests
from imageferry.jobs.bench.measure.processes import Measured, StoreProcess, measured, stage
from imageferry.jobs.bench.run_scenario import play
from imageferry.jobs.bench.scenarios import SCENARIOS

from .work import WrongError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sizes import Sizes

_IMAGES = 4


def run(sizes: Sizes, _rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Once each, whatever rounds are asked for: a night takes minutes, and the page says so."""
    told = {}
    for name, products in (("tenth", max(1, sizes.memory_products // 10)), ("whole", sizes.memory_products)):
        say(f"memory: two nights over {products:,} products with {_IMAGES} images")
        told[name] = _nights(products)
    mixed = next(scenario for scenario in SCENARIOS if scenario.name == "mixed")
    say("planned calls and sent calls")
    result = play(replace(mixed, products=min(mixed.products, sizes.memory_products)))
    peak, tenth = (max(each["first"]["peak_mb"], each["next"]["peak_mb"]) for each in (told["whole"], told["tenth"]))
    return {
        "rounds": 1,
        "products": sizes.memory_products,
        "images": sizes.memory_products * _IMAGES,
        "nights": told,
        "peak_mb": peak,
        "budget_mb": 100,
        "ratio": peak / tenth,
        "budget": 1.2,
        "planned": result["planned"],
        "sent": result["calls"],
    }


def _nights(products: int) -> dict[str, dict[str, float]]:
    """The first sync, which learns which image is which, and the next one, which knows; both have nothing to change."""
    with (
        stage("--products", str(products), "--images", str(_IMAGES), pinned=True) as store,
        tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder,
    ):
        manifest = Path(folder, "manifest.jsonl")
        manifests.write(manifest, manifests.filling(products, _IMAGES))
        return {night: _figures(_sync(store, manifest, products * _IMAGES)) for night in ("first", "next")}


def _sync(store: StoreProcess, manifest: Path, images: int) -> Measured:
    night = measured({"verb": "sync", "access": store.access, "manifest": str(manifest)}, beside=store, pinned=True)
    if night.told.get("outcome") != "done" or night.told["unchanged"] != images:
        raise WrongError(f"no-op sync: {night.told}")
    return night


def _figures(night: Measured) -> dict[str, float]:
    calls = night.told["requests"]
    return {
        "peak_mb": night.peak / 1e6,
        "seconds": night.told["wall"],
        "calls": calls,
        "cpu_us": night.told["cpu"] / calls * 1e6,
    }
