"""The first stage: an open run, of which the plan is read again, or the unconfirmed creates are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from ..core.checkpoint.ledger import Ledger
from ..core.errors import CheckpointError
from ..disk.checkpoint.identities import retried_by
from ..disk.plan_file import START_AGAIN, PlanFile
from .context import Interrupted
from .executor import Executor
from .finish import compact

if TYPE_CHECKING:
    from pathlib import Path

    from ..disk.checkpoint.run_files import OpenRun
    from ..disk.interface import Disk
    from .run import Run


def plan_of_unfinished(disk: Disk, path: Path, open_run: OpenRun) -> PlanFile:
    """Return the plan that an open run was applying.

    Raises CheckpointError if it is missing, damaged, or another run's.
    """
    if disk.size(path) is None:
        raise CheckpointError(f"{path}: the plan of the unfinished run is missing; {START_AGAIN}")
    plan = PlanFile(disk, path, START_AGAIN)
    if plan.digest != open_run.header.get("plan"):
        raise CheckpointError(f"{path}: this is not the plan of the unfinished run; {START_AGAIN}")
    return plan


async def settle_fresh(run: Run) -> None:
    """Look for the unconfirmed creates of a run that --fresh abandons, so that none is sent twice.

    If its plan can't be read any more, wait `--settle` seconds: its images are then matched by name.
    """
    open_run = run.checkpoint.open_run
    if open_run is None:
        return
    creates = open_run.ledger.creates_in_doubt()
    whose = f"{creates} create{'s' if creates > 1 else ''} of the run that was set aside"
    try:
        run.open_plan(open_run)
    except CheckpointError as error:
        run.progress.notify(
            f"{whose} may still appear, and cannot be told any more, for its plan can't be read ({error}). "
            f"Nothing is listed before they had the time to: {run.options.settle:g} s"
        )
        with anyio.move_on_after(run.options.settle) as scope:
            run.stop.on_stop(scope.cancel)
            await anyio.sleep_forever()
        if run.stop.stopping:
            raise Interrupted from None
        run.checkpoint.forget_unfinished()
    else:
        await resolve_prior_run(run, f"{whose} may have happened: looked for first")


async def resolve_prior_run(run: Run, why: str = "") -> None:
    """Find out which unconfirmed changes of an open run have happened, write the checkpoint, and close that run.

    Sends no write. Raises Interrupted if the run was asked to stop meanwhile.
    """
    open_run = run.checkpoint.open_run
    if open_run is None:
        return
    run.plan, run.ledger = run.open_plan(open_run), open_run.ledger
    run.restore_traits()
    run.progress.notify(
        why
        or f"an unfinished run was found that is not gone on with: {run.why_not_resumed}. What it has in doubt is settled "
        "first, then a new plan is made"
    )
    await _look_for_unconfirmed(run, run.plan)
    run.ledger.retried_creates.update(retried_by(run.plan, run.ledger))
    prior = run.checkpoint.header or {}
    kept: dict[str, Any] = {key: prior[key] for key in ("wanted", "report") if key in prior}
    closed = {"state": "interrupted", "finished_at": run.ports.now()}
    await compact(run, {**open_run.header, **kept, **closed})
    run.plan, run.ledger = None, Ledger()


async def _look_for_unconfirmed(run: Run, plan: PlanFile) -> None:
    unconfirmed = {
        product_id
        for product_id, product in run.ledger.courses.items()
        if any(change.unconfirmed for change in product.changes.values())
    }
    async with run.open_journal(None) as journal:
        io = run.product_io(journal, delete_extra=False, recheck_first=False)
        io.settle_only = True
        executor = Executor(io, run.progress, run.stop, run.client.set_remaining)
        await executor.run(
            (batch for batch in plan.batches() if batch.product_id in unconfirmed), lambda: run.client.workers
        )
    if executor.ended_by is not None:
        raise executor.ended_by
    if run.stop.stopping:
        raise Interrupted
