"""Every failure that the engine names, sorted by what the caller must do about it. Nothing else may be raised on purpose.

FerryError
├── SettingsError      mend the settings                        (exit 2)
├── ManifestError      mend the manifest; carries all faults    (exit 2)
├── CheckpointError    mend or set aside checkpoint or plan     (exit 2)
├── UnsafePlanError    a guard refused; allow it or look        (exit 3)
├── LockedError        wait for the other run                   (exit 4)
├── DiskError          mend the disk, give the command again    (exit 6)
└── StoreError         the store's word, or its silence
    ├── ForbiddenError     stop the run: 401, 403 where it is the credentials' (exit 5)
    ├── UnreachableError   stop the run: silent for too long    (exit 5)
    │   └── CannotConnectError    certificate, host name or proxy login are wrong (exit 5)
    ├── RefusedError       this call will never go well         (that image fails)
    │   └── MissingError   404: there is no such product or image
    ├── ThrottledError     nothing happened; again later
    ├── UnsentError        nothing happened; again later
    └── LostError          it may have happened: look first
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .results import Report


class FerryError(Exception):
    """Parent of all that the engine raises on purpose; its text is fit for a person.

    `report` says what the run had done by then, where it had begun.
    """

    report: Report | None = None


class SettingsError(FerryError):
    """A setting is missing or makes no sense; nothing was sent."""


@dataclass(slots=True, frozen=True)
class Fault:
    """One thing wrong with a manifest: where (`line`, `field` such as `images[2].sort_order`) and what."""

    line: int | None
    field: str | None
    reason: str
    product_id: int | None = None
    image_file: str | None = None


class ManifestError(FerryError):
    """The manifest has faults, at most 100 of which are carried; nothing was sent."""

    def __init__(self, name: str, faults: list[Fault]) -> None:
        self.name = name
        self.faults = faults
        super().__init__("\n".join(describe(name, fault) for fault in faults))


def describe(name: str, fault: Fault) -> str:
    """`FILE:LINE: images[2].sort_order: what is wrong` (contract, Manifest)."""
    place = name if fault.line is None else f"{name}:{fault.line}"
    return f"{place}: {fault.reason}" if fault.field is None else f"{place}: {fault.field}: {fault.reason}"


class CheckpointError(FerryError):
    """A checkpoint or plan is damaged, of another store or of a newer format; it was left as it is."""


class UnsafePlanError(FerryError):
    """A guard refused the plan; nothing was written to the store."""


class LockedError(FerryError):
    """Another run holds the checkpoint; nothing was sent."""


class DiskError(FerryError):
    """The disk failed under checkpoint, plan, export or backup; nothing unjournalled was sent."""


class BackupError(FerryError):
    """A picture could not be kept, so it is not deleted; that image fails and all else goes on."""


class StoreError(FerryError):
    """What the store said, or failed to say, about one call; `status` is 0 where it said nothing.

    `doubtful`: one of its sendings may have happened all the same. A 404 after a 504 may be the first one's doing; after
    a 423 it is somebody else's. The gate knows; without its word it may.
    """

    doubtful = True
    after: float | None = None
    """Seconds that the store asked to wait for, where it named a time."""

    def __init__(self, reason: str, status: int = 0) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


class ForbiddenError(StoreError):
    """401, or a 403 that concerns the credentials: the run stops, once the calls in flight are home."""


class UnreachableError(StoreError):
    """The store gave no usable answer for `--give-up-after`; the run stops and can be resumed. `status` is the last one's."""


class CannotConnectError(UnreachableError):
    """No try can reach the store until a person corrects something: certificate, host name, proxy login; the run stops at once."""


class RefusedError(StoreError):
    """The store refused this very call; sending it again would change nothing."""


class MissingError(RefusedError):
    """404: there is no such product or image."""


class ThrottledError(StoreError):
    """429: the call did not happen. `after` is the wait asked for in seconds, None where no header says so."""

    def __init__(self, reason: str, after: float | None, status: int = 429) -> None:
        super().__init__(reason, status)
        self.after = after


class UnsentError(StoreError):
    """The call never reached the store (no connection); nothing happened."""


class StoppedError(StoreError):
    """The run was asked to stop while this call still waited; with `tries` 0 it was never sent."""


ENDS_RUN = (ForbiddenError, UnreachableError, StoppedError)
"""What ends the run and not only the call: whoever still waited was turned away with it."""


class LostError(StoreError):
    """No usable answer came (reset, time-out, 5xx, unreadable body): the call may or may not have happened."""


def renewed(error: StoreError) -> StoreError:
    """Make a fresh copy: one exception raised in many tasks would pile up their tracebacks."""
    return type(error)(error.reason, error.status)
