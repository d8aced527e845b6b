"""Which store, which options, which world: the typed frozen values that every run is given. They decide nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .core.plan.guards import MaxDeletes

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True, frozen=True)
class Access:
    """Which store, and the right to it. The token is in no repr."""

    store_hash: str
    access_token: str = field(repr=False)
    api_url: str = "https://api.bigcommerce.com"

    @property
    def store(self) -> str:
        """What identifies the store in checkpoints and plans."""
        return f"{self.api_url.rstrip('/')}/stores/{self.store_hash}"


@dataclass(slots=True, frozen=True)
class Options:
    """The flags of the contract (Settings), with their defaults; times in seconds."""

    checkpoint: Path | None = None
    fresh: bool = False
    only: frozenset[int] | None = None
    limit: int | None = None
    concurrency: int | None = None
    rate: float | None = None
    quota_share: float = 1.0
    max_deletes: MaxDeletes = field(default_factory=MaxDeletes)
    allow_shrink: bool = False
    allow_missing: bool = False
    allow_loss: bool = False
    settle: float = 20.0
    give_up_after: float = 600.0
    stall_after: float = 120.0
    files: Path | None = None
    backup: Path | None = None
    storefront_url: str | None = None
