"""`--backup` and `undo` on the command line: shown, priced, asked for, and told."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from imageferry.jobs.sandbox import Fault

from ..rehearsal import clean_environment, until

if TYPE_CHECKING:
    from pathlib import Path

    from ..rehearsal import Rehearsal


@pytest.fixture
def done(store: Rehearsal) -> Path:
    """The checkpoint of a run that created, updated and deleted, with a backup; the backup is `kept`."""
    manifest = store.write({1: 3, 2: 2})
    kept = ["--backup", store.folder / "kept", "--storefront-url", store.sandbox.url]
    assert store.run("sync", manifest, *kept).code == 0
    store.write({1: 2, 2: 3}, description="new")
    assert store.run("sync", manifest, *kept).code == 0
    return store.folder / "products.jsonl.checkpoint.json"


def gallery(store: Rehearsal) -> dict[int, list[tuple[str, str]]]:
    """What a product's images are called and described as, in order."""
    catalogue = store.sandbox.shop.catalogue
    return {
        product_id: [
            (image.image_file.partition("-")[2].split("__")[0], image.description)
            for image in sorted(catalogue.open(product_id).images, key=lambda image: image.sort_order)
        ]
        for product_id in (1, 2)
    }


def writes(store: Rehearsal) -> int:
    """How many calls could have changed the store."""
    return sum(entry.method != "GET" for entry in store.sandbox.log)


def test_without_a_terminal_an_undo_is_not_done_unless_yes_is_given(store: Rehearsal, done: Path) -> None:
    """Exit 3 with the plan shown and nothing written; then --yes takes it back, and there is nothing left."""
    before = writes(store)
    refused = store.run("undo", done, "--backup", store.folder / "kept")
    assert refused.code == 3
    assert "changes take the run back" in refused.out
    assert "--yes" in refused.err
    assert writes(store) == before
    refused = store.run("undo", done, "--json")
    assert (refused.code, refused.record["outcome"], refused.record["command"]) == (3, "refused", "undo")
    record = store.run("undo", done, "--backup", store.folder / "kept", "--yes", "--json").record
    assert (record["outcome"], record["created"], record["updated"], record["deleted"]) == ("done", 1, 4, 1)
    assert record["checkpoint"] == f"{done}.undo.json"
    assert [len(images) for images in gallery(store).values()] == [3, 2]
    assert all(not text for images in gallery(store).values() for _, text in images)
    again = store.run("undo", done, "--yes")
    assert (again.code, again.err.count("nothing left to undo")) == (0, 1)


def test_a_dry_undo_shows_plan_price_and_losses_and_writes_nothing(store: Rehearsal, done: Path) -> None:
    """Exit 0, as a plan; without the backup it says what can't come back, with it that the id is new."""
    before = writes(store)
    page = store.run("undo", done, "--backup", store.folder / "kept", "-n").out
    for said in (
        "undo --dry-run: 6 changes take the run back, in 2 products",
        "applying takes",
        "comes back with a new id",
        'description "new" -> ""',
    ):
        assert said in page
    assert "Next: imageferry apply" not in page
    poorer = store.run("undo", done, "-n", "--yes", "--json")
    assert (poorer.code, poorer.record["creates"], poorer.record["deletes"]) == (0, 0, 1)
    assert (poorer.record["dry_run"], poorer.record["outcome"]) == (True, "done")
    assert "no backup has its picture" in " ".join(poorer.record["notes"])
    assert poorer.record["calls"] > 0
    assert writes(store) == before


def test_quiet_with_yes_says_nothing_while_all_goes_well(store: Rehearsal, done: Path) -> None:
    """As for every other command."""
    result = store.run("undo", done, "--backup", store.folder / "kept", "--yes", "-q")
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("yes", 0), ("n", 3), ("", 3), ("Yes, please", 3)])
def test_on_a_terminal_it_asks_and_only_y_is_yes(store: Rehearsal, done: Path, typed: str, code: int) -> None:
    """The plan is on the screen first; anything else but y writes nothing."""
    before = writes(store)
    ended, shown = at_a_terminal(store, ["undo", str(done), "--backup", "kept"], f"{typed}\n".encode())
    assert ended == code, shown
    assert shown.index("changes take the run back") < shown.index("[y/N]")
    assert (writes(store) > before) == (code == 0)
    assert shown.count("comes back with a new id") == 1


def test_a_signal_at_the_question_is_an_interrupt_and_writes_nothing(store: Rehearsal, done: Path) -> None:
    """Exit 130, and the same command asks again."""
    before = writes(store)
    ended, shown = at_a_terminal(store, ["undo", str(done), "--backup", "kept"], b"\x03")
    assert (ended, writes(store)) == (130, before), shown
    assert "interrupted" in shown


def test_an_undo_that_was_killed_goes_on(store: Rehearsal, done: Path) -> None:
    """The same command with --yes takes the rest back; a dry run of it before that still writes nothing."""
    store.sandbox.play(Fault("hang", methods=("DELETE",)))
    with store.started("undo", done, "--backup", "kept", "--yes", "--stall-after", "60") as process:
        until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    store.sandbox.play()
    time.sleep(0.5)  # what was on its way when it was killed arrives
    own = f"{done}.undo.json"
    assert store.run("status", own, "--json").record["state"] == "died"
    before = writes(store)
    assert store.run("undo", done, "--backup", store.folder / "kept", "-n").code == 0
    assert store.run("undo", done, "--backup", store.folder / "kept").code == 3
    assert writes(store) == before
    assert store.run("undo", done, "--backup", store.folder / "kept", "--yes", "--settle", "0.3").code == 0
    assert [len(images) for images in gallery(store).values()] == [3, 2]


def test_a_sync_after_a_killed_undo_is_refused_with_3_and_told_what_to_do(store: Rehearsal, done: Path) -> None:
    """The nightly job must not go over it in silence; --fresh gives the undo up."""
    store.sandbox.play(Fault("hang", methods=("DELETE",)))
    with store.started("undo", done, "--backup", "kept", "--yes", "--stall-after", "60") as process:
        until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    store.sandbox.play()
    time.sleep(0.5)  # what was on its way when it was killed arrives
    before = writes(store)
    manifest = store.folder / "products.jsonl"
    for command in ("sync", "migrate"):
        refused = store.run(command, manifest, "--json")
        assert (refused.code, refused.record["outcome"]) == (3, "refused")
        assert f"imageferry undo {done}" in refused.err
        assert "--fresh" in refused.err
    assert writes(store) == before
    assert store.run("plan", manifest).code == 0
    assert store.run("verify", manifest).code == 1
    assert f"imageferry undo {done}" in store.run("status", done).out
    assert store.run("sync", manifest, "--fresh", "--settle", "0.3").code == 0
    assert store.run("sync", manifest).code == 0


@pytest.mark.parametrize("of", ["the run's checkpoint", "its own"])
def test_status_names_an_undo_that_is_at_work(store: Rehearsal, done: Path, of: str) -> None:
    """While it lists and asks, and while it applies its plan: `undo`, with the process that does it."""
    checkpoint = done if of == "the run's checkpoint" else f"{done}.undo.json"
    for method, state in (("GET", "listing"), ("DELETE", "applying")):
        store.sandbox.play(Fault("hang", methods=(method,), path="/products/"))
        with store.started("undo", done, "--backup", "kept", "--yes", "--stall-after", "60") as process:
            until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
            record = store.run("status", checkpoint, "--json").record
            assert (record["state"], record["run"], record["pid"]) == (state, "undo", process.pid)
            assert "`undo` is at work" in store.run("status", checkpoint).out
            process.kill()
            process.wait(10)


def test_an_undo_that_cannot_give_back_says_why_and_takes_nothing(store: Rehearsal, done: Path) -> None:
    """On the page, product by product, with the flag that allows it; with the flag, that it will be deleted all the same."""
    store.write({1: 2, 2: 3}, description="new")
    manifest = store.folder / "products.jsonl"
    manifest.write_text(manifest.read_text().replace("/1-", "/other-"))
    assert store.run("sync", manifest, "--max-deletes", "9").code == 0
    page = store.run("undo", done, "-n").out
    assert "product 1: nothing is deleted: 2 images that the run made will stay" in page
    assert "--allow-loss" in page
    before = gallery(store)
    assert store.run("undo", done, "--yes").code == 1
    assert gallery(store) == before
    page = store.run("undo", done, "-n", "--allow-loss").out
    assert "will be deleted although 2 of the 2 former images can't come back" in page
    assert store.run("undo", done, "--yes", "--allow-loss").code == 1
    assert gallery(store)[1] == []


def test_what_somebody_changed_since_is_left_alone_and_named(store: Rehearsal, done: Path) -> None:
    """Exit 1, with the image and the reason; the rest is taken back."""
    made = max(store.sandbox.shop.catalogue.open(2).images, key=lambda image: image.image_id)
    made.description = "somebody's"
    result = store.run("undo", done, "--backup", store.folder / "kept", "--yes", "--json")
    assert (result.code, result.record["failures"][0]["image_id"]) == (1, made.image_id)
    assert "somebody changed it" in result.record["failures"][0]["reason"]


def test_a_backup_folder_that_cannot_be_made_ends_with_6(store: Rehearsal) -> None:
    """Before anything is sent."""
    (store.folder / "file").write_text("")
    result = store.run("sync", store.write({1: 1}), "--backup", store.folder / "file" / "kept", "--json")
    assert (result.code, result.record["outcome"], writes(store)) == (6, "disk", 0)


def test_nothing_to_undo_is_said_with_2(store: Rehearsal) -> None:
    """A checkpoint of no run, or of one that changed nothing."""
    result = store.run("undo", store.folder / "none.json", "--yes", "--json")
    assert (result.code, result.record["outcome"]) == (2, "invalid")
    assert "nothing to undo" in result.err


def at_a_terminal(store: Rehearsal, argv: list[str], typed: bytes) -> tuple[int, str]:
    """Run with all three streams on a pseudo terminal; what is typed comes once there is a question."""
    ours, theirs = pty.openpty()
    environment: dict[str, Any] = {**clean_environment(), **store.environment, "TERM": "xterm", "COLUMNS": "200"}
    command = ["setsid", "--ctty", sys.executable, "-m", "imageferry", *argv]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=store.folder
    ) as process:
        os.close(theirs)
        shown = b""
        asked = False
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
                if b"[y/N]" in shown and not asked:
                    asked = True
                    time.sleep(0.3)
                    os.write(ours, typed)
        except OSError:
            pass  # Linux says EIO when the other side is closed
        os.close(ours)
        return process.wait(20), shown.decode()
