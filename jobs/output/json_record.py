"""Reports as the JSON objects of the contract (--json): names and shapes are fixed, scripts rely on them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import imageferry

_COUNTS = (
    "products",
    "wanted",
    "unchanged",
    "created",
    "updated",
    "deleted",
    "adopted",
    "failed",
    "unknown",
    "requests",
    "throttled",
    "retried",
)
_MOST_FAILURES = 1000


def report_record(
    command: str | None, outcome: str | None, report: imageferry.Report | None, **more: Any
) -> dict[str, Any]:
    """The object of a run; a run that never began counts nothing. `more` adds keys or replaces them."""
    record: dict[str, Any] = {"command": command, "outcome": outcome}
    record |= {name: 0 if report is None else getattr(report, name) for name in _COUNTS}
    record["elapsed_s"] = 0.0 if report is None else report.elapsed_s
    record["checkpoint"] = None if report is None else report.checkpoint
    record["failures"] = [] if report is None else [asdict(each) for each in report.failures[:_MOST_FAILURES]]
    if report is not None:
        record["images_before"], record["images_after"] = report.images_before, report.images_after
        record["failed_manifest"], record["notes"] = report.failed_manifest, list(report.notes)
        record["resumed"] = report.resumed
    return record | more


def faults_record(error: imageferry.ManifestError) -> list[dict[str, Any]]:
    """A manifest's faults in the shape of failures."""
    return [
        {
            "product_id": fault.product_id,
            "image_file": fault.image_file,
            "image_id": None,
            "line": fault.line,
            "field": fault.field,
            "status": None,
            "reason": fault.reason,
        }
        for fault in error.faults[:_MOST_FAILURES]
    ]


def proposal_record(proposal: imageferry.Proposal) -> dict[str, Any]:
    """What a plan adds to the object of a run."""
    summary = proposal.summary
    return {
        "creates": summary.creates,
        "updates": summary.updates,
        "deletes": summary.deletes,
        "unchanged": summary.unchanged,
        "guessed": summary.guessed,
        "calls": proposal.calls,
        "seconds": round(proposal.seconds, 1),
        "plan": proposal.plan,
        "digest": proposal.digest,
        "quota": proposal.quota,
    }
