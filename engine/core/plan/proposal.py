"""A plan that waits for confirmation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..results import Report
    from .summary import Summary


@dataclass(slots=True)
class Proposal:
    """A plan that waits for a person: what it would change, what it costs, where it lies, and why a guard objects.

    `about`: which run an undo would take back.
    """

    report: Report
    summary: Summary
    calls: int
    seconds: float
    quota: int | None
    plan: str | None
    digest: str
    refusal: str | None
    about: str = ""
