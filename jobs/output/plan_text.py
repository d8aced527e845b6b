"""A plan as text for a person: what would change, what it costs, the first products, and what a guard says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageferry.core.masking import masked

from .progress import duration
from .run_text import failures_text, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import imageferry

SHOWN = 10
"""How many products are shown with their changes; -v shows all."""
_SHOWN_CHANGES = 6


def proposal_text(proposal: imageferry.Proposal, *, command: str, dry_run: bool, verbose: bool) -> list[str]:
    """The whole page about one plan."""
    if proposal.plan is None:
        return [f"{command}: interrupted; no plan was made. The same command starts again."]
    lines = [_first_line(proposal, command, dry_run=dry_run)]
    lines += [proposal.about] if proposal.about else []
    lines += ["", *counts(proposal), "", *costs(proposal)]
    lines += _products(Path(proposal.plan), verbose=verbose)
    lines += _guesses(Path(proposal.plan), verbose=verbose) if proposal.summary.guessed else []
    lines += failures_text(proposal.report, verbose=verbose)
    lines += losses(proposal, verbose=verbose) if command == "undo" else []
    lines += ["", f"plan    {proposal.plan}", f"digest  {proposal.digest}"]
    return lines + ([] if command == "undo" else _next(proposal, dry_run=dry_run))


def _first_line(proposal: imageferry.Proposal, command: str, *, dry_run: bool) -> str:
    summary = proposal.summary
    changes = summary.creates + summary.updates + summary.deletes
    name = f"{command} --dry-run" if dry_run else command
    if proposal.refusal is not None:
        return f"{name}: a guard would refuse this plan: {proposal.refusal}"
    if command == "undo":
        return _first_line_of_undo(name, changes, summary.changed_products)
    if not changes and summary.failed:
        return f"{name}: nothing can be done about {summary.failed:,} image{'s' * (summary.failed != 1)} that are not as asked; they are named below."
    if not changes:
        return f"{name}: nothing is to do; the store is as the manifest says."
    return f"{name}: {changes:,} change{'s' * (changes != 1)} in {summary.changed_products:,} of {summary.products:,} product{'s' * (summary.products != 1)}; nothing was written to the store."


def _first_line_of_undo(name: str, changes: int, products: int) -> str:
    if not changes:
        return f"{name}: nothing is left that could be taken back."
    return f"{name}: {changes:,} change{'s' * (changes != 1)} take{'s' * (changes == 1)} the run back, in {products:,} product{'s' * (products != 1)}; nothing is written yet."


def losses(proposal: imageferry.Proposal, *, verbose: bool) -> list[str]:
    """What an undo can't bring back as it was, before anybody says yes."""
    notes = proposal.report.notes
    if not notes:
        return []
    shown = notes if verbose else notes[:SHOWN]
    lines = ["", "what can't come back exactly:", *(f"  {note}" for note in shown)]
    return lines + ([f"  and {len(notes) - len(shown):,} more (-v shows all)"] if len(notes) > len(shown) else [])


def counts(proposal: imageferry.Proposal) -> list[str]:
    """What would change, as a table."""
    summary = proposal.summary
    replaced = f"{summary.replaced:,} of them replace an image whose bytes are new" if summary.replaced else ""
    kept = "" if summary.deletes <= summary.replaced else f"of the {summary.existing:,} images that these products have"
    rows: list[tuple[str, int | None, str]] = [
        ("creates", summary.creates, replaced),
        ("updates", summary.updates, ""),
        ("deletes", summary.deletes, kept),
        ("unchanged", summary.unchanged, ""),
    ]
    if summary.guessed:
        rows += [
            (
                "guessed",
                summary.guessed,
                "matched by name with one of several images that their fields don't tell apart",
            )
        ]
    rows += [("products missing", summary.missing, "the store answers 404")] if summary.missing else []
    rows += [("failures", summary.failed, "named below")] if summary.failed else []
    return table(rows)


def costs(proposal: imageferry.Proposal) -> list[str]:
    """Calls, quota windows and time."""
    summary, calls = proposal.summary, proposal.calls
    reads = calls - summary.writes()
    verbs = f"POST {summary.creates:,}, PUT {summary.updates:,}, DELETE {summary.delete_calls:,}, GET {reads:,}"
    lines = [f"applying takes {calls:,} calls ({verbs})"]
    if proposal.quota:
        windows = math.ceil(calls / proposal.quota)
        lines.append(
            f"that is {windows:,} quota window{'s' * (windows != 1)} of {proposal.quota:,} calls, {_time(proposal.seconds)}"
        )
    elif proposal.seconds:
        lines.append(f"the store names no quota; {_time(proposal.seconds)}")
    return lines


def _time(seconds: float) -> str:
    return "under a second" if seconds < 1 else f"about {duration(seconds)}"


def _products(path: Path, *, verbose: bool) -> list[str]:
    lines: list[str] = []
    shown = total = 0
    for row in changed_rows(path):
        total += 1
        if verbose or shown < SHOWN:
            shown += 1
            lines += product_lines(row, verbose=verbose)
    if total > shown:
        lines.append(f"  and {total - shown:,} more products (-v shows all)")
    return ["", "what changes:", *lines] if lines else []


def _guesses(path: Path, *, verbose: bool) -> list[str]:
    """Which image a source was matched with where that was a guess."""
    told = [
        f"  product {row['product_id']}: {source} = image {image_id}"
        for row in _rows_with(path, b',"guessed":{')
        for source, image_id in row.get("guessed", {}).items()
    ]
    shown = told if verbose else told[:SHOWN]
    lines = ["", "which image it is was guessed (several have the name; the fields don't tell):", *shown]
    return lines + ([f"  and {len(told) - len(shown):,} more (-v shows all)"] if len(told) > len(shown) else [])


def _rows_with(path: Path, mark: bytes) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        yield from (json.loads(line) for line in lines if mark in line)


def changed_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a plan file that change something; a plan file is JSON Lines (contract, Plan and checkpoint)."""
    with path.open("rb") as lines:
        for line in lines:
            if b',"unchanged":' in line[:48]:
                continue
            row = json.loads(line)
            if any(row.get(kind) for kind in ("create", "update", "delete")):
                yield row


def product_lines(row: dict[str, Any], *, verbose: bool) -> list[str]:
    """One product's changes, a line each."""
    wanted, present = row.get("wanted", []), {image["image_id"]: image for image in row.get("present", [])}
    changes = [_create(change, wanted) for change in row.get("create", [])]
    changes += [_update(change, present) for change in row.get("update", [])]
    changes += [
        f"delete  image {image_id}  {present.get(image_id, {}).get('image_file', '')}".rstrip()
        for image_id in row.get("delete", [])
    ]
    shown = changes if verbose else changes[:_SHOWN_CHANGES]
    lines = [f"  product {row['product_id']}", *(f"    {change}" for change in shown)]
    if len(changes) > len(shown):
        lines.append(f"    and {len(changes) - len(shown):,} more changes")
    return lines


def _create(change: dict[str, Any], wanted: list[dict[str, Any]]) -> str:
    image = wanted[change["row"]] if 0 <= change["row"] < len(wanted) else {}
    replaces = f"  (replaces image {change['replaces']})" if change.get("replaces") is not None else ""
    return f"create  {image.get('image_file', '')}{replaces}"


def _update(change: dict[str, Any], present: dict[int, dict[str, Any]]) -> str:
    before = change.get("before", {})
    fields = (name for name in change if name not in {"image_id", "before"})
    told = ", ".join(f"{name} {_value(before.get(name))} -> {_value(change[name])}" for name in fields)
    return f"update  image {change['image_id']}  {present.get(change['image_id'], {}).get('image_file', '')}: {told}"


def _value(value: object) -> str:
    text = masked(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 40 else text[:36] + '..."'


def _next(proposal: imageferry.Proposal, *, dry_run: bool) -> list[str]:
    if proposal.refusal is not None:
        return ["", "Next: look at the changes above; the first line says which flag allows them."]
    if dry_run or not proposal.summary.changed_products:
        return []
    return ["", f"Next: imageferry apply {proposal.plan}"]
