"""One peer against one store, and the judgement whether the work was done at all: a figure is only given of work that was."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageferry.jobs.bench import manifests
from imageferry.jobs.bench.figures import quota_of
from imageferry.jobs.bench.measure.processes import Measured, StoreProcess, measured

from .peers.task import WIRE

if TYPE_CHECKING:
    from collections.abc import Mapping

US = "imageferry"
FLOOR = "aiohttp"
SDK = ("SDK, 1 thread", "SDK, 8 threads")
WIRE_PEERS = (FLOOR, WIRE, US, "back-off", "aiolimiter", *SDK)
QUOTA_PEERS = (US, "back-off", "wait for reset", "aiolimiter", "aiolimiter 90%", *SDK)


class WrongError(Exception):
    """A peer did not do its work; the text says which and what is missing."""


def installed(peers: tuple[str, ...]) -> tuple[str, ...]:
    """Those peers whose libraries are there (`pip install '.[bench]'`)."""
    has_sdk = find_spec("bigcommerce") is not None
    return tuple(peer for peer in peers if has_sdk or not peer.startswith("SDK"))


def perform(
    store: StoreProcess, peer: str, *, products: int, images: int, listed: int = 0, pinned: bool = False, **more: Any
) -> dict[str, Any]:
    """Have a peer list products 1 to N, which show `listed` images, and create `images` for each; returns its figures.

    `more`: `latency`, `limit` for the others, `options` for imageferry. Raises WrongError.
    """
    if peer == US:
        run = _ferry(store, products, images, listed, pinned=pinned, options=more.get("options", {}))
        done = run.told["created"] + run.told["unchanged"]
    else:
        task: dict[str, Any] = {
            "peer": peer,
            **store.access,
            "products": products,
            "images": images,
            "quota": store.quota,
        }
        task |= {"window": store.window or 3.0, "latency": more.get("latency", 0.0), "limit": more.get("limit")}
        run = measured(task, module="benchmarks.peers", beside=store, pinned=pinned)
        done = run.told["created"] + run.told["listed"]
    due = products * images + listed
    whole = done == due
    if not whole and not (more.get("limit") and run.told["wall"] > more["limit"] - 1):
        raise WrongError(f"{peer}: {done} of {due} images were listed or created")
    _judge(store, peer, listed + run.told["created"])
    return _figures(run, store, products * (images + 1), whole=whole)


def _ferry(
    store: StoreProcess, products: int, images: int, listed: int, *, pinned: bool, options: dict[str, Any]
) -> Measured:
    """The whole of imageferry: checks the manifest, lists, diffs, plans, journals each call; verifies with the brakes off."""
    with tempfile.TemporaryDirectory(prefix="imageferry-bench-") as folder:
        manifest = Path(folder, "manifest.jsonl")
        manifests.write(manifest, manifests.filling(products, images or listed // products))
        task = {"access": store.access, "manifest": str(manifest), "options": options}
        run = measured({**task, "verb": "migrate" if images else "verify"}, beside=store, pinned=pinned)
        if run.told.get("outcome") != "done":
            raise WrongError(f"{US}: {run.told}")
        store.settings(quota=None, latency=0.0)
        verify = measured({**task, "verb": "verify", "options": {}})
        if verify.told.get("outcome") != "done" or verify.told["unchanged"] != verify.told["wanted"]:
            raise WrongError(f"{US}, verify: {verify.told}")
    return run


def _judge(store: StoreProcess, peer: str, images: int) -> None:
    """The store's own count has the last word."""
    store.settings(quota=None, latency=0.0)
    count = store.images()
    if count != images:
        raise WrongError(f"{peer}: the store has {count} images, {images} are told of")


def _figures(run: Measured, store: StoreProcess, due: int, *, whole: bool) -> dict[str, Any]:
    told: Mapping[str, Any] = run.told
    quota = quota_of(run.readings, store.quota, told["ended"])
    calls = told["requests"]
    return {
        "whole": whole,
        "seconds": told["wall"] * (1 if whole else due / max(1, calls - told["throttled"])),
        "calls": calls,
        "calls_a_second": calls / told["wall"],
        "cpu_us": told["cpu"] / calls * 1e6,
        "peak_mb": run.peak / 1e6,
        "used": quota.used,
        "throttled": quota.throttled,
        "other_calls": quota.other_calls,
        "other_refused": quota.other_refused,
    }
