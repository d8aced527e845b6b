"""The report of a run, for printing and for `--json` (contract, --json)."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_FAILURES = 1000
"""Maximum number of failures in a report; the counts include all (contract, --json)."""


@dataclass(slots=True)
class Failure:
    """One image, or one product, that does not match the manifest, and the reason.

    A field is None if unknown.
    """

    product_id: int | None = None
    image_file: str | None = None
    image_id: int | None = None
    line: int | None = None
    field: str | None = None
    status: int | None = None
    reason: str = ""


def images_in(failures: list[Failure]) -> int:
    """Return the number of images in these failures.

    One image may fail in several fields.
    """
    return len({(failure.image_file, failure.image_id) for failure in failures})


@dataclass(slots=True)
class Report:
    """Counts of a run since its first start.

    `requests` to `elapsed_s` cover this process only.

    `resumed`: earlier processes contributed to the other counts.
    """

    command: str
    outcome: str = "done"
    products: int = 0
    wanted: int = 0
    unchanged: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    adopted: int = 0
    failed: int = 0
    unknown: int = 0
    requests: int = 0
    throttled: int = 0
    retried: int = 0
    elapsed_s: float = 0.0
    checkpoint: str | None = None
    images_before: int | None = None
    images_after: int | None = None
    failures: list[Failure] = field(default_factory=list)
    failed_manifest: str | None = None
    notes: list[str] = field(default_factory=list)
    resumed: bool = False
