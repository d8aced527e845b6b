"""How a run ended -> exit code and outcome: the contract's table, in one place."""

from __future__ import annotations

from imageferry.core import errors

OK, FAILED, INVALID, REFUSED, LOCKED, UNREACHABLE, DISK, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130

_OF_ERROR: tuple[tuple[type[errors.FerryError], int, str], ...] = (
    (errors.SettingsError, INVALID, "invalid"),
    (errors.ManifestError, INVALID, "invalid"),
    (errors.CheckpointError, INVALID, "invalid"),
    (errors.UnsafePlanError, REFUSED, "refused"),
    (errors.LockedError, LOCKED, "locked"),
    (errors.DiskError, DISK, "disk"),
    (errors.StoreError, UNREACHABLE, "unreachable"),
)
_OF_OUTCOME = {"done": OK, "failed": FAILED, "interrupted": INTERRUPTED}


def of_error(error: errors.FerryError) -> tuple[int, str]:
    """Exit code and outcome of what was raised."""
    return next(((code, outcome) for kind, code, outcome in _OF_ERROR if isinstance(error, kind)), (FAILED, "failed"))


def of_outcome(outcome: str) -> int:
    """The exit code of a report that was returned."""
    return _OF_OUTCOME.get(outcome, FAILED)
