"""The last stage: the manifest of failed products, and the checkpoint with what the run has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ..core.plan.run_header import unsure
from ..disk.checkpoint.identities import learned_identities
from ..disk.manifest import writer

if TYPE_CHECKING:
    from ..core.plan.batch import Header
    from ..core.reconcile.duplicates import RetriedCreates
    from ..core.results import Report
    from .run import Run

LATE_DUPLICATE_TIME = 3600.0
"""Seconds after a run in which the next one looks for late duplicates of the creates that it retried."""


async def finish(run: Run, report: Report) -> None:
    """Write the failed products and the checkpoint of a run that applied its whole plan."""
    plan = run.plan
    if plan is None:
        return
    await write_failed(run, report)
    prior = run.checkpoint.header or {}
    wanted = prior.get("wanted") if plan.header.selection else plan.summary.wanted
    outcome = {"wanted": wanted, "state": "finished", "finished_at": run.ports.now()}
    kept = {"manifest": plan.header.manifest, "digest": plan.header.digest, "mode": plan.header.mode}
    header = {**run.header, **kept, **outcome, **_to_retry(run, plan.header), "report": _without_failures(report)}
    # Who gave --allow-missing knows that they are gone; otherwise each later run would miss them again.
    await compact(run, header, forget_missing=run.options.allow_missing)


async def write_failed(run: Run, report: Report) -> None:
    """Write the products that failed as a manifest of their own, except for an undo."""
    if run.plan is not None and run.plan.header.mode != "undo":
        await writer.write_failed(run.ports.disk, run.checkpoint.paths.failed_manifest, run.plan, run.ledger, report)


async def compact(run: Run, header: dict[str, Any], *, forget_missing: bool = False) -> None:
    """Write the checkpoint with `header` and the identities that the run has learned, and close the open run."""
    if run.plan is not None:
        # Identities of a run that finished after this plan was made are newer than the plan's listing.
        is_newer = (run.checkpoint.header or {}).get("finished_at", 0) > run.plan.header.made_at
        newer = run.checkpoint.identities() if is_newer else None
        identities = learned_identities(
            run.ports.disk,
            run.checkpoint.paths.journal,
            run.plan,
            run.ledger,
            newer=newer,
            forget_missing=forget_missing,
        )
        totals = run.ledger.totals
        header["changed"] = bool(totals.created or totals.updated or totals.deleted or run.ledger.unconfirmed())
        # A run that wrote nothing may end while the listings still lag behind the one before it.
        header["wrote_until"] = header["finished_at"] if header["changed"] else run.checkpoint.wrote_until()
        if retried := _retried_creates(run, run.plan.header, header):
            header["resent"] = {str(product_id): sources for product_id, sources in retried.items()}
        await run.checkpoint.compact(header, run.traits, identities)
    run.checkpoint.open_run = None
    run.checkpoint.load()


def _to_retry(run: Run, header: Header) -> dict[str, Any]:
    """Return the header keys from which the next run knows which products failed, and which listing holds for the others."""
    own = {"selection": header.selection, "files": header.files, "listed_at": header.listed_at}
    doubted = run.ledger.unsure | (unsure(run.checkpoint.header or {}) if header.retry_of else frozenset())
    return {"failed": sorted(run.ledger.failed_products()), "unsure": sorted(doubted), **own}


def _retried_creates(run: Run, plan: Header, header: dict[str, Any]) -> dict[int, RetriedCreates]:
    """Return the creates that may still get a duplicate: this run's, and those of a run that ended within the last hour."""
    prior = run.checkpoint.header or {}
    # An apply lists each product when it starts on it, whenever its plan was made.
    began = plan.made_at if plan.resumable else header.get("started_at", run.ports.now())
    recent = began - float(prior.get("finished_at", 0.0)) < LATE_DUPLICATE_TIME
    return (run.checkpoint.retried_creates() if recent else {}) | run.ledger.retried_creates


def _without_failures(report: Report) -> dict[str, Any]:
    row: dict[str, Any] = orjson.loads(orjson.dumps(report))
    row.pop("failures")
    return row
