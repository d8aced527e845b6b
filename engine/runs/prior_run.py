"""The prior run, as the next planner needs it: its retried creates, and listings that may not show its writes yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core.checkpoint.states import ProductLedger
from ..core.errors import CheckpointError, MissingError
from ..core.reconcile.early import to_confirm
from ..disk.checkpoint.identities import retried_by

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..core.diff.changes import Difference
    from ..core.identities import IdentityMap
    from ..core.model import StoredImage
    from ..core.reconcile.duplicates import RetriedCreates
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.plan_file import PlanFile
    from .context import RunContext

_READABLE = 32 * 1024 * 1024
"""A journal of more bytes takes too long to read for what it saves; then any image may have been written."""


def _former_writes(checkpoint: Checkpoint) -> Callable[[int], ProductLedger | None]:
    """Return the prior run's ledger by product, None if its history is missing or too long."""
    try:
        told = checkpoint.history() if checkpoint.history_size() <= _READABLE else None
    except CheckpointError:
        told = None
    if told is None:
        return lambda _: None
    courses, nothing = told[1].ledger.courses, ProductLedger()
    return lambda product_id: courses.get(product_id, nothing)


async def confirm(
    present: list[StoredImage],
    memory: IdentityMap,
    former: ProductLedger | None,
    compare: Callable[[list[StoredImage]], Difference],
    image: Callable[[int], Awaitable[StoredImage]],
) -> tuple[list[StoredImage], Difference]:
    """The listing and its difference, once every image that would be written for what may be old was read itself.

    One that is gone is taken off the listing; one that is remembered is left to its write.
    """
    known = {known[0] for known in memory.values()}
    images = {each.image_id: each for each in present}
    found, asked = compare(present), set[int]()
    while suspects := to_confirm(found, known, former) - asked:
        asked |= suspects
        for image_id in sorted(suspects):
            try:
                now = await image(image_id)
            except MissingError:
                if image_id not in known:
                    del images[image_id]
            else:
                now.url = images[image_id].url
                images[image_id] = now
        present = list(images.values())
        found = compare(present)
    return present, found


@dataclass(slots=True)
class PriorRun:
    """The prior run's retried creates, whether its store renames files, and its listing lag in seconds.

    `writes` tells what it did in a product, None where nobody knows.
    """

    retried_creates: dict[int, RetriedCreates] = field(default_factory=dict)
    renames_files: bool = False
    lag: float = 0.0
    writes: Callable[[int], ProductLedger | None] = lambda _: None


def prior_run(job: RunContext, checkpoint: Checkpoint, plan: PlanFile | None) -> PriorRun:
    """Return what the planner must know of the prior run, finished or not."""
    settle = job.options.settle
    lag = min(max(checkpoint.trusted_from(settle) - job.ports.now(), 0.0), settle)
    former = PriorRun(checkpoint.retried_creates(), checkpoint.renames_files(), lag)
    if lag:
        former.writes = _former_writes(checkpoint)
    unfinished = checkpoint.open_run
    if unfinished is not None and plan is not None:
        ledger = unfinished.ledger
        former.retried_creates |= ledger.retried_creates | retried_by(plan, ledger)
        former.renames_files = former.renames_files or bool((ledger.traits or {}).get("names_lost"))
    return former
