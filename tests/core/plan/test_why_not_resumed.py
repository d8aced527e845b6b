"""The differences between an unfinished run and a command are named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imageferry.core.plan.batch import Header
from imageferry.core.plan.why_not_resumed import unlike

FORMER = Header("sync", "s", "/m.jsonl", "d1", "/", "/c", "limit 1", 0.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"selection": ""}, "it was for --limit 1, this is for the whole manifest"),
        ({"selection": "only 1,2 limit 5"}, "it was for --limit 1, this is for --only 1,2 --limit 5"),
        ({"digest": "d2"}, "the manifest has been changed since"),
        ({"digest": "d2", "manifest": "/n.jsonl"}, "its manifest is /m.jsonl"),
        (
            {"digest": "d2", "selection": ""},
            "the manifest has been changed since, and it was for --limit 1, this is for the whole manifest",
        ),
        ({"manifest": "/moved/m.jsonl"}, ""),
        ({"made_at": 9.0}, ""),
    ],
    ids=repr,
)
def test_the_difference_is_named(change: dict[str, str], said: str) -> None:
    """Only what makes the run another one's counts."""
    assert unlike("sync", FORMER, "sync", replace(FORMER, **change)) == said  # type: ignore[arg-type]


def test_another_command_and_another_plan_are_named() -> None:
    """Whatever else differs."""
    assert unlike("migrate", FORMER, "sync", FORMER) == "it was `migrate`, this is `sync`"
    assert unlike("apply", FORMER, "apply", None) == "it carries out another plan"
