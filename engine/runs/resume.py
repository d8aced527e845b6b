"""What an unfinished run left, to be resumed or settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import CheckpointError
from ..disk.plan_file import START_AGAIN, PlanFile

if TYPE_CHECKING:
    from pathlib import Path

    from ..disk.checkpoint.run_files import OpenRun
    from ..disk.interface import Disk


def plan_of_unfinished(disk: Disk, path: Path, unfinished: OpenRun) -> PlanFile:
    """The plan that an unfinished run was carrying out.

    Raises CheckpointError where it is missing, damaged, or another run's.
    """
    if disk.size(path) is None:
        raise CheckpointError(f"{path}: the plan of the unfinished run is missing; {START_AGAIN}")
    plan = PlanFile(disk, path, START_AGAIN)
    if plan.digest != unfinished.header.get("plan"):
        raise CheckpointError(f"{path}: this is not the plan of the unfinished run; {START_AGAIN}")
    return plan
