"""Errors that the engine raises, sorted by what the caller must do.

FerryError
├── SettingsError      correct the settings                         (exit 2)
├── ManifestError      correct the manifest; lists its errors       (exit 2)
├── CheckpointError    repair or move away the checkpoint or plan   (exit 2)
├── UnsafePlanError    a guard refused: review it, or allow it      (exit 3)
├── LockedError        wait for the other run                       (exit 4)
├── DiskError          fix the disk, run the command again          (exit 6)
└── StoreError         one call to the store failed
    ├── ForbiddenError     the token was refused; the run stops     (exit 5)
    ├── UnreachableError   no usable response; the run stops        (exit 5)
    │   └── CannotConnectError    wrong certificate, host name or proxy login (exit 5)
    ├── RefusedError       this call can never succeed              (that image fails)
    │   └── MissingError   404: the product or image does not exist
    ├── ThrottledError     not executed; send it again later
    ├── UnsentError        not executed; send it again later
    └── LostError          may have been executed; list before a retry
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .results import Report


class FerryError(Exception):
    """Base class of all errors that the engine raises.

    Its text is for users.

    `report` holds the counts up to the error, if a run had started.
    """

    report: Report | None = None


class SettingsError(FerryError):
    """A missing or invalid setting. Nothing was sent."""


@dataclass(slots=True, frozen=True)
class Fault:
    """One error in a manifest: `line`, `field` (such as `images[2].sort_order`) and `reason`."""

    line: int | None
    field: str | None
    reason: str
    product_id: int | None = None
    image_file: str | None = None


class ManifestError(FerryError):
    """Errors in a manifest, at most 100 of them. Nothing was sent."""

    def __init__(self, name: str, faults: list[Fault]) -> None:
        self.name = name
        self.faults = faults
        super().__init__("\n".join(describe(name, fault) for fault in faults))


def describe(name: str, fault: Fault) -> str:
    """Return `FILE:LINE: images[2].sort_order: reason` (contract, Manifest)."""
    place = name if fault.line is None else f"{name}:{fault.line}"
    return f"{place}: {fault.reason}" if fault.field is None else f"{place}: {fault.field}: {fault.reason}"


class CheckpointError(FerryError):
    """A damaged checkpoint or plan, or one of another store or a newer format.

    The file is not changed.
    """


class UnsafePlanError(FerryError):
    """A plan that a guard refused. Nothing was written to the store."""


class LockedError(FerryError):
    """A checkpoint that another run has locked. Nothing was sent."""


class DiskError(FerryError):
    """A failed disk operation on a checkpoint, plan, export or backup.

    No write was sent to the store without its journal entry.
    """


class BackupError(FerryError):
    """An image that cannot be backed up and is therefore not deleted.

    That image fails; the run continues.
    """


class StoreError(FerryError):
    """A failed call. `status` is the HTTP status, 0 without a response.

    `may_have_happened` is true if an earlier attempt may have succeeded although its response was lost: a 404 after a 504
    can be our own delete. The API client clears it when it knows that no attempt reached the store.
    """

    may_have_happened = True
    after: float | None = None
    """Requested wait in seconds, None without one."""

    def __init__(self, reason: str, status: int = 0) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


class ForbiddenError(StoreError):
    """A 401, or a 403 that concerns the credentials.

    The run stops after the calls in flight have finished.
    """


class UnreachableError(StoreError):
    """A store without a usable response for `--give-up-after`.

    The run stops and can be resumed. `status` is that of the last response.
    """


class CannotConnectError(UnreachableError):
    """A connection that fails until a person fixes certificate, host name or proxy login.

    The run stops at once.
    """


class RefusedError(StoreError):
    """A call that the store refused; a retry would be refused, too."""


class MissingError(RefusedError):
    """A 404: the product or image does not exist."""


class ThrottledError(StoreError):
    """A 429: the call was not executed.

    `after` is the requested wait in seconds, None if no header names one.
    """

    def __init__(self, reason: str, after: float | None, status: int = 429) -> None:
        super().__init__(reason, status)
        self.after = after


class UnsentError(StoreError):
    """A call that never reached the store. It was not executed."""


class StoppedError(StoreError):
    """A call that still waited when the run was stopped.

    With `tries` 0 it was never sent.
    """


ENDS_RUN = (ForbiddenError, UnreachableError, StoppedError)
"""Errors that end the run; calls that still wait fail with the same error."""


class LostError(StoreError):
    """A call without a usable response (reset, timeout, 5xx, unreadable body).

    It may have been executed.
    """


def renewed(error: StoreError) -> StoreError:
    """Return a copy of the error, so that tasks sharing it do not pile up tracebacks."""
    return type(error)(error.reason, error.status)
