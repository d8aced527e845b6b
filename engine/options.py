"""Which store, which options, which world: the typed frozen values that every run is given. They decide nothing."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .core.errors import SettingsError
from .core.guards import MaxDeletes
from .disk import RealDisk

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from .backup import Fetch
    from .disk import Disk
    from .gate import Wire


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


def _http_wire(access: Access) -> AbstractAsyncContextManager[Wire]:
    from .wire import HttpWire  # noqa: PLC0415  # aiohttp costs 185 ms; what sends nothing does not pay for it

    return HttpWire(access.api_url, access.store_hash, access.access_token)


def _http_fetch() -> AbstractAsyncContextManager[Fetch]:
    from .fetch import Fetcher  # noqa: PLC0415  # as above

    return Fetcher()


@dataclass(slots=True)
class Seams:
    """Where the world comes in: the network, the disk, the wall clock (for records only) and chance."""

    wire: Callable[[Access], AbstractAsyncContextManager[Wire]] = _http_wire
    fetch: Callable[[], AbstractAsyncContextManager[Fetch]] = _http_fetch
    disk: Disk = field(default_factory=RealDisk)
    now: Callable[[], float] = time.time
    chance: random.Random = field(default_factory=random.Random)


def checkpoint_path(manifest: str | Path, options: Options) -> Path:
    """--checkpoint, else the manifest's path with `.checkpoint.json` added.

    Raises SettingsError where the manifest is standard input and no checkpoint is given.
    """
    if options.checkpoint is not None:
        return options.checkpoint.absolute()
    if str(manifest) == "-":
        raise SettingsError(
            "the manifest comes from standard input, so --checkpoint FILE is needed to remember the run"
        )
    path = Path(manifest).absolute()
    return path.with_name(path.name + ".checkpoint.json")


def check_output(output: Path, *spared: Path) -> None:
    """A file that is to be written whole takes the place of what bears its name: not of a device, nor of what is `spared`.

    Raises SettingsError.
    """
    if output.exists() and not output.is_file():
        raise SettingsError(f"-o {output}: this is no regular file; give the name of one")
    if any(output.absolute() == each.absolute() for each in spared):
        raise SettingsError(f"-o {output}: this is a file that the command reads; give another name")
