"""A process that is stopped (Ctrl-Z) for longer than --give-up-after goes on when it is woken; and waits that the store names."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from imageferry.jobs.sandbox import Fault

from .rehearsal import rehearsing, until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP and SIGCONT are POSIX")
@pytest.mark.slow
@pytest.mark.parametrize("sick", [0.0, 1.0], ids=["answers", "503s"])
def test_a_stopped_process_goes_on_where_the_answers_lie(tmp_path: Path, sick: float) -> None:
    """Stopped with calls in flight for longer than --give-up-after and --stall-after: it ends well, and no call counts as lost."""
    with rehearsing(tmp_path, latency=0.5, products=60) as store:
        manifest = store.write(dict.fromkeys(range(1, 61), 1))
        store.sandbox.play(Fault("failed_before", sick, ("GET",), "/images?", after=8))
        haste = ("--give-up-after", "5", "--stall-after", "5", "--settle", "3600", "--json")
        with store.started("sync", manifest, *haste) as process:
            if sick:
                until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] >= 6)
            else:
                until(lambda: sum("/images?" in entry.path for entry in store.sandbox.log) > 12)
            process.send_signal(signal.SIGSTOP)
            time.sleep(9.0)
            store.sandbox.play()
            process.send_signal(signal.SIGCONT)
            out, err = process.communicate(timeout=50)
        record = json.loads(out.splitlines()[-1])
        assert (process.returncode, record["created"], record["adopted"]) == (0, 60, 0), err
        assert b"nothing has come back" not in err


@pytest.mark.slow
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_store_that_is_down_for_maintenance_is_waited_for(tmp_path: Path, form: str) -> None:
    """503 with the standard Retry-After: longer than --give-up-after, nothing is sent meanwhile, and the run ends well."""
    with rehearsing(tmp_path, retry_after_form=form) as store:
        manifest = store.write({1: 1, 2: 1})
        store.sandbox.play(Fault("failed_before", 1.0, count=1, status=503, wait=5.0))
        result = store.run("sync", manifest, "--give-up-after", "2", "--json")
        assert (result.code, result.record["created"]) == (0, 2), result.err
        first, second = store.sandbox.log[:2]
        assert second.at - first.at >= 4.0
