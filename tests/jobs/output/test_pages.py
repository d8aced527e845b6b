"""Reports and plans as a person reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import imageferry
from imageferry.core.plan.summary import Summary
from imageferry.jobs.output import plan_text, run_text

if TYPE_CHECKING:
    from pathlib import Path

    from ..rehearsal import Rehearsal


def test_the_first_line_says_what_happened() -> None:
    """Done, nothing to do, failed with figures, interrupted."""

    def first(**more: object) -> str:
        return run_text.run_text(imageferry.Report("sync", elapsed_s=2.0, **more), verbose=False)[0]  # type: ignore[arg-type]  # each field its own

    assert first(created=1) == "sync: done in 2.0 s; the store is as asked."
    assert "nothing was to do" in first()
    assert first(outcome="failed", failed=2, unknown=1).startswith(
        "sync: finished in 2.0 s, but 2 images failed and of 1 image"
    )
    assert "interrupted" in first(outcome="interrupted")


def test_one_is_not_told_as_many() -> None:
    """One product, one image that differs."""
    single = imageferry.Report("verify", outcome="failed", products=1, wanted=1, failed=1, elapsed_s=2.0, requests=3)
    assert run_text.verify_text(single, verbose=False)[0].startswith(
        "verify: 1 image differs (1 product, 1 image compared"
    )
    assert "1 image of 1 product written" in run_text.export_text(single, target="x", verbose=False)[0]
    several = imageferry.Report("verify", outcome="failed", products=2, wanted=4, failed=2, elapsed_s=2.0, requests=3)
    assert run_text.verify_text(several, verbose=False)[0].startswith("verify: 2 images differ (2 products, 4 images")


def test_twenty_failures_are_shown_the_rest_counted_and_the_file_named() -> None:
    """-v shows all that the report holds."""
    failures = [
        imageferry.Failure(n, f"https://a.example/{n}.jpg", line=n, status=400, reason="dead") for n in range(50)
    ]
    report = imageferry.Report(
        "sync", outcome="failed", failed=1234, failures=failures, failed_manifest="c.failed.jsonl"
    )
    lines = run_text.failures_text(report, verbose=False)
    assert lines[2] == "  product 0, https://a.example/0.jpg (line 0): 400: dead"
    assert sum("dead" in line for line in lines) == 20
    assert any("1,214 more" in line for line in lines)
    assert lines[-1].endswith("c.failed.jsonl")
    assert sum("dead" in line for line in run_text.failures_text(report, verbose=True)) == 50


def test_columns_are_aligned() -> None:
    """Names to the left, numbers to the right, remarks after them."""
    assert run_text.table([("a", 1, ""), ("longer", 1234, "so"), ("b", None, "")]) == [
        "  a           1",
        "  longer  1,234  so",
        "  b           -",
    ]


def test_a_plan_page_shows_counts_calls_windows_changes_and_what_is_next(tmp_path: Path) -> None:
    """All that a person needs to say yes or no."""
    plan = tmp_path / "a.plan"
    row = {
        "product_id": 7,
        "wanted": [{"image_file": "https://a.example/n.jpg"}],
        "present": [{"image_id": 5, "image_file": "a/old__1.jpg"}, {"image_id": 6, "image_file": "a/gone__2.jpg"}],
        "create": [{"row": 0, "replaces": 6}],
        "update": [{"image_id": 5, "sort_order": 2, "before": {"sort_order": 0}}],
        "delete": [6],
    }
    rows = [{"imageferry": "plan"}, {"product_id": 6, "unchanged": 1, "present": 1}, row, {"summary": {}}]
    plan.write_bytes(b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in rows))
    summary = Summary(products=2, creates=1, updates=1, deletes=1, existing=3, changed_products=1, delete_calls=1)
    proposal = imageferry.Proposal(imageferry.Report("plan"), summary, 400, 80.0, 150, str(plan), "d1gest", None)
    page = "\n".join(plan_text.proposal_text(proposal, command="plan", dry_run=False, verbose=False))
    for said in (
        "plan: 3 changes in 1 of 2 products",
        "400 calls (POST 1, PUT 1, DELETE 1, GET 397)",
        "3 quota windows of 150 calls, about 80 s",
        "create  https://a.example/n.jpg  (replaces image 6)",
        "update  image 5  a/old__1.jpg: sort_order 0 -> 2",
        "delete  image 6  a/gone__2.jpg",
        "digest  d1gest",
        f"Next: imageferry apply {plan}",
    ):
        assert said in page


def test_what_comes_from_outside_reaches_the_terminal_escaped(store: Rehearsal) -> None:
    """A description with an escape sequence is shown, not obeyed."""
    manifest = store.write({1: 1}, description="\x1b[31mred\x07")
    store.run("sync", manifest)
    store.write({1: 1}, description="\x9b2J")
    result = store.run("plan", manifest)
    assert not any(letter in result.out + result.err for letter in "\x1b\x07\x9b")
    assert "description" in result.out


def test_no_output_of_any_command_holds_the_token(store: Rehearsal) -> None:
    """Not the page, not the object, not the plan or the checkpoint."""
    manifest = store.write({1: 1})
    calls = [
        ["plan", manifest],
        ["sync", manifest, "-v"],
        ["status", f"{manifest}.checkpoint.json"],
        ["verify", manifest, "--json"],
    ]
    told = "".join(result.out + result.err for result in (store.run(*call) for call in calls))
    written = b"".join(path.read_bytes() for path in store.folder.iterdir())
    assert store.sandbox.access_token not in told
    assert store.sandbox.access_token.encode() not in written


def test_quiet_says_nothing_while_all_goes_well(store: Rehearsal) -> None:
    """What cron mails is failures only."""
    manifest = store.write({1: 1})
    for call in (["plan", manifest], ["sync", manifest], ["verify", manifest]):
        result = store.run(*call, "-q")
        assert (result.code, result.out, result.err) == (0, "", "")
