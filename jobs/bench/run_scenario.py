"""One scenario from its store to its figures; no figure is given before a verify has found nothing."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exit_codes import FAILED
from . import manifests
from .figures import QuotaFigures, quota_of, result_of
from .measure.processes import Measured, StoreProcess, measured, stage

if TYPE_CHECKING:
    from .scenarios import Scenario


class WrongError(Exception):
    """A run did not do what it was asked to; its figures would be worth nothing. The text says what is wrong.

    `code` and `outcome` are what the command ends with for it.
    """

    def __init__(self, text: str, code: int = FAILED, outcome: str = "failed") -> None:
        super().__init__(text)
        self.code = code
        self.outcome = outcome


def play(scenario: Scenario) -> dict[str, Any]:
    """Play one scenario.

    Raises WrongError where the store isn't as asked afterwards, StageError where a process fails.
    """
    flags = ["--products", str(scenario.products), "--images", str(scenario.images if scenario.filled else 0)]
    flags += ["--latency", str(scenario.latency), "--write-latency", str(scenario.fetching)]
    with (
        tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder,
        stage(*flags, window=scenario.window, quota=scenario.quota) as store,
    ):
        manifest = Path(folder, "manifest.jsonl")
        rows = manifests.changed if scenario.edited else manifests.filling
        manifests.write(manifest, rows(scenario.products, scenario.images))
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


def _task(scenario: Scenario, store: StoreProcess, manifest: Path) -> dict[str, Any]:
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


def _verify(store: StoreProcess, task: dict[str, Any], scenario: Scenario) -> None:
    """Judge with the store at its best behaviour: no faults, no quota, no latency; its own count of images is asked, too."""
    store.play([])
    store.settings(quota=None, latency=0.0, write_latency=0.0)
    verify = _unless_wrong(measured({**task, "verb": "verify"}), replace(scenario, name=f"{scenario.name}, verify"))
    wanted, count = verify.told["wanted"], store.images()
    if verify.told["unchanged"] != wanted:
        raise WrongError(f"{scenario.name}: {wanted - verify.told['unchanged']} images are not as asked")
    if count != wanted:
        raise WrongError(f"{scenario.name}: the store counts {count} images, {wanted} were asked for")


def sample(access: dict[str, str], products: int, options: dict[str, Any]) -> dict[str, Any]:
    """A read-only run against a real store: lists its first products, then lists and compares them again, which is what is measured.

    Raises WrongError where nothing could be compared.
    """
    with tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder:
        manifest = str(Path(folder, "store.jsonl"))
        task = {"access": access, "manifest": manifest, "products": products, "options": options}
        first = _unless_broken_off(measured({**task, "verb": "sample"}).told)
        if not first["sampled"]:
            raise WrongError("store: there is no product that could be listed")
        run = measured({**task, "verb": "verify"})
        _unless_broken_off(run.told)
    result = result_of(run, QuotaFigures(None, 0, run.told["throttled"], 0, 0), 0)
    differed, result["failed"] = result["failed"], 0
    remarks = []
    if first["left_out"]:
        remarks.append(f"{first['left_out']} products that could not be listed whole are left out")
    if differed:
        remarks.append(f"{differed} images differed from one listing to the next: somebody is at work there")
    result |= {"remark": "; ".join(remarks)} if remarks else {}
    size = {"products": first["sampled"], "images": None, "latency": None, "quota": run.told["quota"]}
    about = f"a real store, read only: {first['sampled']:,} products listed"
    return {"name": "store", "about": about, **size, **result}


def _unless_broken_off(told: dict[str, Any]) -> dict[str, Any]:
    """A store's images that make no sound manifest are no fault of the settings, as a user's own manifest would be."""
    if "error" not in told:
        return told
    text = f"store: {told['error']}"
    raise WrongError(text) if told["kind"] == "ManifestError" else WrongError(text, told["code"], told["outcome"])
