"""One scenario from its store to its figures; no figure is given before a verify has found nothing."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import catalogue
from .scenarios import Scenario
from .stage import Measured, Stage, measured, stage
from .verdict import Quota, quota_of, result_of


class WrongError(Exception):
    """A run did not do what it was asked to; its figures would be worth nothing. The text says what is wrong."""


def play(scenario: Scenario) -> dict[str, Any]:
    """Play one scenario.

    Raises WrongError where the store isn't as asked afterwards, StageError where a process fails.
    """
    flags = ["--products", str(scenario.products), "--images", str(scenario.images if scenario.filled else 0)]
    flags += ["--latency", str(scenario.latency)]
    with (
        tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder,
        stage(*flags, window=scenario.window, quota=scenario.quota) as store,
    ):
        manifest = Path(folder, "manifest.jsonl")
        rows = catalogue.changed if scenario.edited else catalogue.filling
        catalogue.write(manifest, rows(scenario.products, scenario.images))
        task = _task(scenario, store, manifest)
        if scenario.night:
            _unless_wrong(measured(task, beside=store), scenario)
        store.play(list(scenario.faults))
        run = _unless_wrong(measured(task, beside=store), scenario)
        _verify(store, task, scenario)
        quota = quota_of(run.readings, scenario.quota, run.told["ended"])
    changes = sum(run.told[name] for name in ("created", "updated", "deleted"))
    return {"name": scenario.name, "about": scenario.about, **_size(scenario), **result_of(run, quota, changes)}


def _size(scenario: Scenario) -> dict[str, Any]:
    return {name: getattr(scenario, name) for name in ("products", "images", "latency", "quota")}


def _task(scenario: Scenario, store: Stage, manifest: Path) -> dict[str, Any]:
    options = {"settle": scenario.settle, "max_deletes": "100%"}
    return {"verb": scenario.verb, "access": store.access, "manifest": str(manifest), "options": options}


def _unless_wrong(run: Measured, scenario: Scenario) -> Measured:
    told = run.told
    if "error" in told:
        raise WrongError(f"{scenario.name}: {told['kind']}: {told['error']}")
    if told["outcome"] != "done":
        reasons = "; ".join(each["reason"] for each in told["failures"])
        raise WrongError(f"{scenario.name}: {told['failed']} images failed, {told['unknown']} are unknown: {reasons}")
    return run


def _verify(store: Stage, task: dict[str, Any], scenario: Scenario) -> None:
    """Judge with the store at its best behaviour: no faults, no quota, no latency; its own count of images is asked, too."""
    store.play([])
    store.settings(quota=None, latency=0.0)
    verify = _unless_wrong(measured({**task, "verb": "verify"}), replace(scenario, name=f"{scenario.name}, verify"))
    if verify.told["unchanged"] != verify.told["wanted"]:
        raise WrongError(f"{scenario.name}: {verify.told['wanted'] - verify.told['unchanged']} images are not as asked")


def sample(access: dict[str, str], products: int, options: dict[str, Any]) -> dict[str, Any]:
    """A read-only run against a real store: lists some products, then lists and compares them again, which is what is measured.

    Raises WrongError where nothing could be compared.
    """
    about = f"a real store, read only: {products:,} products listed"
    scenario = Scenario("store", about, "verify", products, 0)
    with tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder:
        task = {
            "access": access,
            "manifest": str(Path(folder, "store.jsonl")),
            "products": products,
            "options": options,
        }
        first = measured({**task, "verb": "sample"}).told
        if "error" in first:
            raise WrongError(f"store: {first['kind']}: {first['error']}")
        if not first["sampled"]:
            raise WrongError("store: it has no images, so there is nothing to list and compare")
        run = measured({**task, "verb": "verify"})
    if "error" in run.told:
        raise WrongError(f"store: {run.told['kind']}: {run.told['error']}")
    result = result_of(run, Quota(None, 0, run.told["throttled"], 0, 0), 0)
    if run.told["failed"]:
        result["remark"] = (
            f"{run.told['failed']} images differed from one listing to the next: somebody is at work there"
        )
    return {"name": "store", "about": about, **_size(scenario), "quota": run.told["quota"], **result}
