"""Under `python -X dev -W error` no run leaves anything open, whatever the store does to its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imageferry.jobs.sandbox.faults import KINDS, Fault

from .rehearsal import rehearsing

if TYPE_CHECKING:
    from pathlib import Path

STRICT = {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error", "PYTHONASYNCIODEBUG": "0"}
WAITS = {"throttled", "bare_429"}
"""What makes a run wait for a quota window, and closes nothing."""


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - WAITS))
def test_no_fault_of_the_store_leaves_a_response_open(tmp_path: Path, kind: str) -> None:
    """A dropped connection or a cut answer is closed by who asked; nothing is left to the collector to complain of."""
    with rehearsing(tmp_path, images=1, products=3) as store:
        store.sandbox.play(Fault(kind, count=2, delay=0.3))
        manifest = store.write({1: 1, 2: 1})
        ended = store.spawn(
            "sync", manifest, "--max-deletes", "9", "--settle", "0.5", "--give-up-after", "2", "-q", **STRICT
        )
        assert "Warning" not in ended.err
        assert "nclosed" not in ended.err
        assert "Traceback" not in ended.err
        assert ended.code in {0, 1, 5}
