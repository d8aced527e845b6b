"""One call of a verb: its options, ports and watchers, and its report, however it ends."""

from __future__ import annotations

import random
import time
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from ..core.errors import FerryError, StoppedError
from ..core.image_format.truncated import TruncatedFiles
from ..core.manifest.odd_addresses import OddAddresses
from ..core.results import Report
from ..disk.filesystem import LocalDisk
from ..options import Access, Options
from ..progress import Progress, Stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ..disk.interface import Disk
    from ..images.backup import Fetch
    from ..options import Access
    from ..transport.client import Transport


def _aiohttp_transport(access: Access) -> AbstractAsyncContextManager[Transport]:
    from ..transport.session import AiohttpTransport  # noqa: PLC0415  # aiohttp costs 185 ms; what sends nothing does not pay for it

    return AiohttpTransport(access.api_url, access.store_hash, access.access_token)


def _http_fetch() -> AbstractAsyncContextManager[Fetch]:
    from ..images.fetch import Fetcher  # noqa: PLC0415  # as above

    return Fetcher()


@dataclass(slots=True)
class Ports:
    """Access to the outside: network, disk, wall clock (for records only) and randomness."""

    transport: Callable[[Access], AbstractAsyncContextManager[Transport]] = _aiohttp_transport
    fetch: Callable[[], AbstractAsyncContextManager[Fetch]] = _http_fetch
    disk: Disk = field(default_factory=LocalDisk)
    now: Callable[[], float] = time.time
    random: random.Random = field(default_factory=random.Random)


class Interrupted(Exception):  # noqa: N818  # not an error: a person asked for it
    """The run was asked to stop before its end."""


@dataclass(slots=True)
class RunContext:
    """A command with its store, options, progress and stop request."""

    command: str
    access: Access
    options: Options
    progress: Progress
    stop: Stop
    ports: Ports
    report: Report = field(init=False)
    cut: TruncatedFiles = field(default_factory=TruncatedFiles)
    odd: OddAddresses = field(default_factory=OddAddresses)

    def __post_init__(self) -> None:
        self.report = Report(self.command)


@asynccontextmanager
async def reporting_outcome(job: RunContext) -> AsyncIterator[None]:
    """Complete the report with traffic and time, and attach it to the error that ends the run.

    Raises the one FerryError that a person must hear of, out of all that task groups bring up.
    """
    began = anyio.current_time()
    failure: FerryError | None = None
    try:
        yield
    except BaseExceptionGroup as group:
        error = the_error(group)
        if error is None:
            raise
        failure = _ended(job, error)
    except (FerryError, Interrupted) as error:
        failure = _ended(job, error)
    finally:
        job.report.notes += job.cut.warnings() + job.odd.warnings()
        job.report.elapsed_s = round(anyio.current_time() - began, 3)
        if job.progress.traffic is not None:
            traffic = job.progress.traffic()
            job.report.requests, job.report.throttled = traffic.requests, traffic.throttled
            job.report.retried = traffic.retried
    if failure is not None:
        raise failure from None


def _ended(job: RunContext, error: FerryError | Interrupted) -> FerryError | None:
    if isinstance(error, Interrupted | StoppedError):
        job.report.outcome = "interrupted"
        return None
    error.report = job.report
    return error


def the_error(group: BaseExceptionGroup[BaseException]) -> FerryError | Interrupted | None:
    """Return the error to report out of a task group's errors, None if one of them is a bug."""
    leaves: list[BaseException] = []
    stack: list[BaseException] = [group]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            leaves.append(error)
    if any(not isinstance(error, FerryError | Interrupted) for error in leaves):
        return None
    return min(leaves, key=_rank)  # type: ignore[return-value]  # just checked


def _rank(error: BaseException) -> int:
    order = (
        "DiskError",
        "ForbiddenError",
        "CannotConnectError",
        "UnreachableError",
        "UnsafePlanError",
        "CheckpointError",
        "ManifestError",
    )
    name = type(error).__name__
    return order.index(name) if name in order else len(order)


def new_context(
    command: str,
    access: Access,
    options: Options | None,
    progress: Progress | None,
    stop: Stop | None,
    seams: Ports | None,
) -> RunContext:
    """Return a context with defaults for all that is None."""
    return RunContext(command, access, options or Options(), progress or Progress(), stop or Stop(), seams or Ports())
