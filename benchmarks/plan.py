"""What needs no store: a plan of a million images against a million, an unsorted manifest, the journal, and resuming a million images."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageferry.jobs.bench.measure.processes import Measured, measured

from . import data
from .spread import folded, ratios
from .work import WrongError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sizes import Sizes

PARSE, MERGE, UNSORTED, DICTS = "orjson alone", "imageferry", "imageferry, unsorted", "both sides in dicts"
RESUME = "imageferry resumes"
CHECK = "imageferry checks the manifest first"


def run(sizes: Sizes, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """All of it, interleaved; the files are made once, the unfinished run by the engine itself."""
    images = sizes.plan_products * sizes.plan_images
    with tempfile.TemporaryDirectory(prefix="imageferry-bench-") as name:
        folder = Path(name)
        say(f"plan: making files of {images:,} images")
        data.write(folder, sizes.plan_products, sizes.plan_images)
        planned = []
        for number in range(rounds):
            say(f"plan: round {number + 1} of {rounds}")
            planned.append(_plans(folder, images))
        say(f"resume: migrating {images:,} images to nowhere, to be stopped shortly before the end")
        _prepared(folder, images)
        resumed = []
        for number in range(rounds):
            say(f"resume and journal: round {number + 1} of {rounds}")
            resumed.append(_resumes(folder, sizes))
    return {
        "images": images,
        "plan": _folded(planned) | {"ratio": ratios(planned, MERGE, "cpu", PARSE), "budget": 5},
        "resume": _folded(resumed) | {"ratio": ratios(resumed, RESUME, "cpu", PARSE), "budget": 2},
        "journal": folded([each["journal"] for each in resumed]) | {"calls": sizes.journal_calls, "budget_us": 15},
    }


def _plans(folder: Path, images: int) -> dict[str, dict[str, Any]]:
    pages = str(folder / "pages.jsonl")
    files = {name: str(folder / name) for name in ("manifest.jsonl", "unsorted.jsonl")}
    told = {
        PARSE: _child(kind="parse", paths=[files["manifest.jsonl"], pages]),
        MERGE: _child(kind="merge", manifest=files["manifest.jsonl"], pages=pages),
        UNSORTED: _child(kind="merge", manifest=files["unsorted.jsonl"], pages=pages),
        DICTS: _child(kind="dicts", manifest=files["manifest.jsonl"], pages=pages),
    }
    for name in (MERGE, UNSORTED, DICTS):
        if (told[name]["unchanged"], told[name]["changes"]) != (images, 0):
            raise WrongError(f"plan, {name}: {told[name]} of {images} images that are all as asked")
    return {name: {"cpu": each["cpu"], "peak_mb": each["peak_mb"]} for name, each in told.items()}


def _prepared(folder: Path, images: int) -> None:
    told = _child(kind="prepare", manifest=str(folder / "manifest.jsonl"), images=images)
    if told["outcome"] != "interrupted" or not 0 < told["created"] < images:
        raise WrongError(f"resume: the run that was to be stopped: {told}")


def _resumes(folder: Path, sizes: Sizes) -> dict[str, dict[str, Any]]:
    checkpoint = "manifest.jsonl.checkpoint.json"
    paths = [str(path) for path in folder.glob(f"{checkpoint}*") if path.suffix in {".journal", ".plan", ".json"}]
    told = {
        PARSE: _child(kind="parse", paths=paths),
        RESUME: _child(kind="resume", manifest=str(folder / "manifest.jsonl")),
        "journal": _child(kind="journal", calls=sizes.journal_calls),
    }
    if told["journal"]["lines"] < 2 * sizes.journal_calls:
        raise WrongError(f"journal: {told['journal']['lines']} lines of {sizes.journal_calls} calls")
    shown = {name: {"cpu": told[name]["cpu"], "peak_mb": told[name]["peak_mb"]} for name in (PARSE, RESUME)}
    shown[CHECK] = {"cpu": told[RESUME]["check_cpu"], "peak_mb": None}
    return shown | {"journal": {"cpu_us": told["journal"]["cpu_us"]}}


def _child(**task: Any) -> dict[str, Any]:
    run: Measured = measured(task, module="benchmarks.alone", pinned=True)
    return {**run.told, "peak_mb": run.peak / 1e6}


def _folded(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    return {"peers": {name: folded([each[name] for each in rounds]) for name in rounds[0] if name != "journal"}}
