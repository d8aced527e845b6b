"""The demo: one command, nothing to set up, a good end, one page."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from imageferry.jobs.demo import catalog
from imageferry.jobs.demo.demo import FAULTS

from .rehearsal import clean_environment

DEMO = [sys.executable, "-m", "imageferry", "demo"]


def test_the_demo_ends_well_and_tells_it_on_one_page() -> None:
    """It plans, applies while each fault strikes, verifies without a difference, and says what to type next."""
    ran = subprocess.run(DEMO, capture_output=True, text=True, check=False, env=clean_environment(), timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert len(lines) <= 50
    for fault, told in FAULTS:
        assert f"   {fault.count} x {told}" in lines
    assert "4 of them found after their answer was lost" in ran.stdout
    assert "verify: no difference" in ran.stdout
    assert "42 images are wanted and the store counts 42" in ran.stdout
    assert "imageferry demo --keep" in ran.stdout


def test_the_demo_speaks_json() -> None:
    """The object is that of its verification; the page goes to standard error."""
    ran = subprocess.run([*DEMO, "--json"], capture_output=True, text=True, check=False, env=clean_environment())
    record = json.loads(ran.stdout)
    assert (ran.returncode, record["command"], record["outcome"], record["failures"]) == (0, "demo", "done", [])
    assert "imageferry demo" in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_kept_store_stays_until_it_is_asked_to_go(number: signal.Signals) -> None:
    """--keep says how to reach it, and Ctrl-C ends it with the demo's own exit code."""
    with subprocess.Popen(
        [*DEMO, "--keep", "-q"], stderr=subprocess.PIPE, text=True, env=clean_environment()
    ) as process:
        assert process.stderr is not None
        told = ""
        while "imageferry plan" not in told:
            line = process.stderr.readline()
            assert line, told
            told += line
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(number)
        rest = process.stderr.read()
    assert (process.returncode, rest) == (0, "the store is closed\n")
    assert "export BIGCOMMERCE_API_URL=http://127.0.0.1:" in told


def test_the_catalogue_is_made_of_real_pictures() -> None:
    """Each is a JPEG of its own, and each that the manifest wants exists."""
    pictures = catalog.catalogue()
    drawn = {each.path: each.drawn() for each in pictures}
    assert len(drawn) == len(set(drawn.values())) == 42
    from io import BytesIO

    with Image.open(BytesIO(drawn["/pictures/kettle-front.jpg"])) as first:
        assert (first.format, first.size) == ("JPEG", (640, 480))
    for text in (catalog.manifest("http://site"), catalog.before("http://site")):
        rows = [json.loads(line) for line in text.splitlines()]
        wanted = {image["image_file"].removeprefix("http://site") for row in rows for image in row["images"]}
        assert wanted <= {*drawn, "/pictures/basket-detail.jpg"}
