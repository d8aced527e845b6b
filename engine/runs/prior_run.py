"""What the run before left to be minded by the planner of the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..disk.checkpoint.identities import retried_by
from .early_listing import former_writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.checkpoint.states import ProductLedger
    from ..core.reconcile.duplicates import RetriedCreates
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.plan_file import PlanFile
    from .context import RunContext


@dataclass(slots=True)
class PriorRun:
    """What the former run left to be minded: creates it sent again, whether names get lost, how long listings may lag (s).

    `writes` tells what it did in a product, None where nobody knows.
    """

    retried_creates: dict[int, RetriedCreates] = field(default_factory=dict)
    renames_files: bool = False
    lag: float = 0.0
    writes: Callable[[int], ProductLedger | None] = lambda _: None


def prior_run(job: RunContext, checkpoint: Checkpoint, plan: PlanFile | None) -> PriorRun:
    """What the run before left to be minded, whether it came to its end or not."""
    settle = job.options.settle
    lag = min(max(checkpoint.trusted_from(settle) - job.ports.now(), 0.0), settle)
    former = PriorRun(checkpoint.retried_creates(), checkpoint.renames_files(), lag)
    if lag:
        former.writes = former_writes(checkpoint)
    unfinished = checkpoint.open_run
    if unfinished is not None and plan is not None:
        ledger = unfinished.ledger
        former.retried_creates |= ledger.retried_creates | retried_by(plan, ledger)
        former.renames_files = former.renames_files or bool((ledger.traits or {}).get("names_lost"))
    return former
