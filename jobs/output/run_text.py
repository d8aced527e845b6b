"""Reports as text for a person: what happened in the first line, then the counts, the failures, and what to do next. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imageferry.core import errors
from imageferry.core.plan.failures import NO_SUCH_PRODUCT

from .progress import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import imageferry

_NEXT = (
    (
        errors.ForbiddenError,
        "check the token (BIGCOMMERCE_ACCESS_TOKEN), its scope (Products: modify) and --store-hash, then give the same command again.",
    ),
    (errors.UnreachableError, "give the same command again once the store answers; it goes on where it stopped."),
)
_TURNED_AWAY = 429
_NEXT_TURNED_AWAY = (
    "the store answers, so the network is well: its quota may be used up by other apps, or what it says of it be wrong. "
    "Give the same command again later; it goes on where it stopped."
)
_AFTER_FAILURES = {
    "sync": "look at what the reasons name, mend it, and give the same command again; it tries just these once more.",
    "undo": "look at the images that are named; the same command tries once more what failed, and leaves alone what was changed.",
}
_AFTER_MISSING = "take these products out of the manifest, or make them in the store first, or correct their ids"
SHOWN = 20
"""How many failures are shown; -v shows all that the report names."""


def run_text(report: imageferry.Report, *, verbose: bool, stopped: str | None = None) -> list[str]:
    """A run that changed the store, or tried to; `stopped` is why it ended itself early."""
    first = _first_line(report) if stopped is None else f"{report.command}: {stopped}"
    lines = [first, *_whose(report), "", *counts(report)]
    lines += failures_text(report, verbose=verbose)
    return lines + _next(report)


def _whose(report: imageferry.Report) -> list[str]:
    """Which figures are whose, where the run was gone on with."""
    if not report.resumed:
        return []
    return [
        "The run was gone on with: images are counted since its first start, time and calls are this process's alone."
    ]


def _first_line(report: imageferry.Report) -> str:
    took = f"in {duration(report.elapsed_s)}"
    if report.outcome == "done":
        moved = report.created + report.updated + report.deleted
        asked = "the run is taken back" if report.command == "undo" else "the store is as asked"
        return f"{report.command}: done {took}; {'' if moved else 'nothing was to do, '}{asked}."
    if report.outcome == "interrupted":
        return f"{report.command}: interrupted after {duration(report.elapsed_s)}; it can be gone on with."
    return f"{report.command}: finished {took}, but {troubles(report)}."


def troubles(report: imageferry.Report) -> str:
    """`3 images failed and 1 is unknown`."""
    parts = [f"{_images(report.failed)} failed"] if report.failed else []
    if report.unknown:
        parts.append(f"of {_images(report.unknown)} it isn't known whether they were made")
    return " and ".join(parts) or "it did not come to its end"


def error_text(command: str, error: imageferry.FerryError) -> str:
    """The first line about a run that something outside of it ended."""
    if isinstance(error, errors.ForbiddenError):
        return f"{command}: the store refuses the credentials: {error}"
    if isinstance(error, errors.CannotConnectError):
        return f"{command}: no connection to the store: {error}"
    if isinstance(error, errors.UnreachableError):
        what = "turns calls away" if error.status == _TURNED_AWAY else "is out of reach"
        return f"{command}: the store {what}: {error}"
    return f"{command}: {error}"


def next_after(error: imageferry.FerryError) -> list[str]:
    """What to do after that; empty where the error itself says it."""
    if isinstance(error, errors.UnreachableError) and error.status == _TURNED_AWAY:
        return ["", f"Next: {_NEXT_TURNED_AWAY}"]
    if isinstance(error, errors.CannotConnectError):
        return []
    for kind, said in _NEXT:
        if isinstance(error, kind):
            return ["", f"Next: {said}"]
    return []


def _images(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def _products(count: int) -> str:
    return f"{count:,} product" if count == 1 else f"{count:,} products"


def progress_text(report: imageferry.Report, *, verbose: bool) -> list[str]:
    """How far a run had come that broke off."""
    return [*_whose(report), *counts(report), *failures_text(report, verbose=verbose)]


def counts(report: imageferry.Report) -> list[str]:
    """What was done, as a table."""
    adopted = f"{report.adopted:,} of them found after their answer was lost" if report.adopted else ""
    rows: list[tuple[str, int | None, str]] = [
        ("products", report.products, ""),
        ("images wanted", report.wanted, ""),
        ("unchanged", report.unchanged, ""),
        ("created", report.created, adopted),
        ("updated", report.updated, ""),
        ("deleted", report.deleted, ""),
        ("failed", report.failed, ""),
        ("unknown", report.unknown, "sent, but no answer says what became of them" if report.unknown else ""),
        ("calls", report.requests, _calls(report)),
    ]
    if report.images_before is not None:
        after = "" if report.images_after is None else f"; {report.images_after:,} afterwards"
        rows.append(("in the store", report.images_before, f"images before{after}"))
    return table(rows)


def _calls(report: imageferry.Report) -> str:
    parts = ["of this process alone"] if report.resumed else []
    parts += [f"{report.throttled:,} throttled"] if report.throttled else []
    parts += [f"{report.retried:,} sent again"] if report.retried else []
    return ", ".join(parts)


def table(rows: Iterable[tuple[str, int | None, str]]) -> list[str]:
    """Aligned rows of a name, a number and a remark."""
    kept = [(name, "-" if number is None else f"{number:,}", remark) for name, number, remark in rows]
    width = max(len(name) for name, _, _ in kept)
    digits = max(len(number) for _, number, _ in kept)
    return [f"  {name:<{width}}  {number:>{digits}}  {remark}".rstrip() for name, number, remark in kept]


def failures_text(report: imageferry.Report, *, verbose: bool) -> list[str]:
    """The failures by name, the rest counted, and where all of them are."""
    failures = report.failures if verbose else report.failures[:SHOWN]
    if not failures:
        return []
    lines = [
        "",
        f"{'differences' if report.command == 'verify' else 'failures'}:",
        *(f"  {failure_line(each)}" for each in failures),
    ]
    more = max(report.failed, len(report.failures)) - len(failures)
    if more > 0:
        lines.append(f"  and {more:,} more" + ("" if verbose else " (-v shows up to 1,000)"))
    if report.failed_manifest:
        lines.append(f"  their products, as a manifest: {report.failed_manifest}")
    return lines


def failure_line(failure: imageferry.Failure) -> str:
    """`product 32, https://…/a.jpg (line 4): 400: The reason`; a status that the reason tells itself is not said twice."""
    place = [f"product {failure.product_id}"] if failure.product_id is not None else []
    place += [failure.image_file] if failure.image_file else []
    place += [f"image {failure.image_id}"] if failure.image_id is not None else []
    place += [failure.field] if failure.field else []
    line = f" (line {failure.line})" if failure.line is not None else ""
    said = re.search(rf"\b{failure.status}\b", failure.reason) is not None
    status = f"{failure.status}: " if failure.status and not said else ""
    return f"{', '.join(place) or 'the run'}{line}: {status}{failure.reason}"


def _next(report: imageferry.Report) -> list[str]:
    if report.outcome == "done":
        return ["", f"The run is remembered in {report.checkpoint}"] if report.checkpoint else []
    if report.outcome == "interrupted":
        return ["", "Next: give the same command again, and it goes on where it stopped."]
    return ["", f"Next: {_after_failures(report)}"]


def _after_failures(report: imageferry.Report) -> str:
    """What to do about failures; the same command is only advised where it can go better than this time."""
    named = report.failures
    missing = sum(each.reason == NO_SUCH_PRODUCT for each in named)
    if report.command == "undo" or not missing or report.unknown:
        return _AFTER_FAILURES.get(report.command, _AFTER_FAILURES["sync"])
    if missing == len(named) == report.failed:
        return f"{_AFTER_MISSING} (or --store-hash names another store); given again as it is, the command would end the same way."
    return f"{_AFTER_FAILURES['sync'][:-1]}. As for products that the store does not have: {_AFTER_MISSING}."


def verify_text(report: imageferry.Report, *, verbose: bool) -> list[str]:
    """What comparing found."""
    took = duration(report.elapsed_s)
    if report.outcome == "interrupted":
        return [f"verify: interrupted after {took}; not all was compared."]
    seen = f"{_products(report.products)}, {_images(report.wanted)} compared in {took}, {report.requests:,} calls"
    if report.outcome == "done":
        return [f"verify: no difference; the store is as the manifest says ({seen})."]
    lines = [
        f"verify: {_images(report.failed)} {'differs' if report.failed == 1 else 'differ'} ({seen}).",
        *failures_text(report, verbose=verbose),
    ]
    return [*lines, "", "Next: `imageferry plan` shows what would change, `sync` or `migrate` changes it."]


def export_text(report: imageferry.Report, *, target: str, verbose: bool) -> list[str]:
    """What was exported."""
    if report.outcome == "interrupted":
        return ["export: interrupted; what was written is not whole."]
    good = report.outcome == "done"
    head = f"export: {_images(report.wanted)} of {_products(report.products)} written to {target} in {duration(report.elapsed_s)}"
    rest = f", but {report.failed:,} could not be." if report.failed else ", but that is not all that the store counts."
    return [head + ("." if good else rest), *failures_text(report, verbose=verbose)]


_STATES = {
    "none": "there is no run in {path}.",
    "listing": "`{run}` is at work: it lists the store and makes its plan.",
    "applying": "`{run}` is at work: it applies its plan.",
    "finished": "`{run}` is over.",
    "interrupted": "`{run}` was interrupted; the same command goes on.",
    "died": "`{run}` died without a word; the same command goes on.",
}


def _unknown(report: imageferry.Report, state: str) -> str:
    if not report.unknown:
        return ""
    return "sent, and not answered yet" if state == "applying" else "sent, but no answer says what became of them"


def status_text(standing: imageferry.verbs.status.RunStatus, *, verbose: bool, since: str | None) -> list[str]:
    """How a checkpoint stands."""
    report = standing.report
    head = _STATES[standing.state].format(run=standing.run or "a run", path=report.checkpoint)
    if standing.host is not None:
        head = head.replace("is at work", f"is at work on {standing.host}", 1)
    if standing.pid is not None:
        head += f" Process {standing.pid}" + ("" if standing.host is None else " there")
        head += f", since {since}." if since else "."
    if standing.state == "none":
        return [head]
    names: Sequence[str] = (
        "products",
        "wanted",
        "unchanged",
        "created",
        "updated",
        "deleted",
        "adopted",
        "failed",
        "unknown",
    )
    remarks = {"unknown": _unknown(report, standing.state)}
    rows: list[tuple[str, int | None, str]] = [(name, getattr(report, name), remarks.get(name, "")) for name in names]
    if standing.changes_left is not None:
        rows.append(("products left", standing.changes_left, ""))
    return [head, *report.notes, "", *table(rows), *failures_text(report, verbose=verbose)]
