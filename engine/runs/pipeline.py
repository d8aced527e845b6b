"""The stages that the verbs compose: preview a plan, then apply it to its end or as far as the run gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.image_files import GONE
from ..core.plan.proposal import Proposal
from ..core.plan.run_header import failed
from ..core.results import MOST_FAILURES
from ..disk.checkpoint.identities import joined
from .executor import Executor
from .finish import finish, write_failed
from .opening import count_images
from .product.reconciler import ProductReconciler
from .run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..core.plan.batch import ProductPlan
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.plan_file import PlanFile
    from ..transport.client import ApiClient
    from ..transport.store import Store
    from .context import RunContext
    from .product.io import ProductIO


def new_run(job: RunContext, checkpoint: Checkpoint, store: Store, client: ApiClient, files: Path) -> Run:
    """Return a run with the options, ports and watchers of `job`."""
    return Run(checkpoint, store, client, job.options, job.ports, job.progress, job.stop, files, job.cut)


def propose(job: RunContext, made: PlanFile, path: str, client: ApiClient, refusal: str | None) -> Proposal:
    """Return a preview of the plan, with its price at the quota in force."""
    summary, report = made.summary, job.report
    summary.tell(report)
    report.failed = summary.failed
    report.failures.clear()
    for batch in made.batches():
        if len(report.failures) < MOST_FAILURES:
            report.failures += batch.failures + batch.skipped
    calls = summary.calls(relist=True)
    quota = client.traffic().quota
    return Proposal(report, summary, calls, client.seconds_for(calls), quota, path, made.digest, refusal)


async def apply_plan(job: RunContext, run: Run, plan: PlanFile, store: Store, *, recheck_first: bool) -> None:
    """Apply the plan as far as the run gets, and complete the report."""
    try:
        complete = await _execute(run, plan, job.command, recheck_first=recheck_first)
    finally:
        run.fill(job.report)
    if complete:
        job.report.images_after = await count_images(store)
    if job.stop.reason:
        job.report.notes.append(job.stop.reason)
    if job.stop.stopping and not complete and not job.stop.reason:
        job.report.outcome = "interrupted"
    elif job.report.failed or job.report.unknown or not complete:
        job.report.outcome = "failed"
    if complete:
        await finish(run, job.report)
    else:
        await write_failed(run, job.report)


async def _execute(run: Run, plan: PlanFile, command: str, *, recheck_first: bool) -> bool:
    """Apply the plan from where its journal ends; return True if all of it is done.

    Raises ForbiddenError or UnreachableError if the store ended the run.
    """
    header = _begin(run, plan, command)
    _start_progress(run, plan, recheck_first=recheck_first)
    complete = False  # a cancelled journal scope ends the block below without an exception
    async with run.open_backup(plan) as backup, run.open_journal(header) as journal:
        io = run.product_io(journal, delete_extra=plan.header.delete_extra, recheck_first=recheck_first, backup=backup)
        executor = Executor(io, run.progress, run.stop, run.client.set_remaining)
        complete = await executor.run(_open_batches(run, plan, executor, io), lambda: run.client.workers)
    if executor.ended_by is not None:
        raise executor.ended_by
    return complete and not run.ledger.unconfirmed()


def _begin(run: Run, plan: PlanFile, command: str) -> dict[str, object] | None:
    """Return the header of a new journal, None if the open run's journal is continued."""
    run.plan = plan
    run.failed_before = failed(run.checkpoint.header or {})
    open_run = run.checkpoint.open_run
    if open_run is None:
        return {
            "run": f"{run.ports.random.getrandbits(64):016x}",
            "command": command,
            "plan": plan.digest,
            "started_at": run.ports.now(),
        }
    run.ledger = open_run.ledger
    run.failed_before |= run.ledger.failed_products()
    run.restore_traits()
    for product_id in run.ledger.failures:
        run.ledger.reopen(product_id)
    return None


def _start_progress(run: Run, plan: PlanFile, *, recheck_first: bool) -> None:
    summary, totals = plan.summary, run.ledger.totals
    images = summary.creates + summary.updates + summary.deletes
    run.progress.start_phase("applying", products=summary.changed_products, images=images)
    done = totals.created + totals.updated + totals.deleted
    run.progress.go_on(totals.products_done, done)
    run.progress.expect_calls(max(0, summary.calls(relist=recheck_first) - done), lambda: run.client.requests)


def _open_batches(run: Run, plan: PlanFile, executor: Executor, io: ProductIO) -> Iterator[ProductPlan]:
    """Yield the products that are not finished, those that failed before last, so that a repeated failure delays none.

    A finished product whose final check is still due goes to the executor.
    """
    closed = run.ledger.finished - run.ledger.was_unconfirmed
    yield from _with_newer_identities(run, plan.batches(but=closed | run.failed_before), executor, io)
    if run.failed_before:
        yield from _with_newer_identities(run, plan.batches(but=closed, only=run.failed_before), executor, io)


def _with_newer_identities(
    run: Run, batches: Iterator[ProductPlan], executor: Executor, io: ProductIO
) -> Iterator[ProductPlan]:
    for batch, identities in joined(batches, run.checkpoint.identities() if io.recheck_first else ()):
        if batch.product_id in run.ledger.finished:
            executor.unconfirmed.append(ProductReconciler(batch, io))
        else:
            # An image that the plan knows under a new spelling of its address is not added again under the old one.
            planned = {pair[0] for pair in batch.identities.values()}
            batch.newer_identities = {
                source: pair
                for source, pair in identities.items()
                if pair[0] not in planned
                or (source.startswith(GONE) and batch.identities.get(source, (0,))[0] != pair[0])
            }
            yield batch
