"""Each exit code of the contract, with the outcome that --json names, through the real command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from imageferry.disk.lock import checkpoint_lock
from imageferry.jobs.sandbox import Fault
from imageferry.runs.context import Ports

from .rehearsal import clean_environment, rehearsing, until
from .sick_store import answer, sick_store, well

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .rehearsal import Rehearsal
    from .sick_store import Call

KEYS = {
    "command", "outcome", "products", "wanted", "unchanged", "created", "updated", "deleted", "adopted", "failed", "unknown",
    "requests", "throttled", "retried", "elapsed_s", "checkpoint", "failures",
}  # fmt: skip
FAILURE_KEYS = {"product_id", "image_file", "image_id", "line", "field", "status", "reason"}


def test_a_run_and_its_verification_end_with_0(store: Rehearsal) -> None:
    """`sync` makes the store as asked, `verify` agrees, and a second `sync` has nothing to do."""
    manifest = store.write({1: 2, 2: 3})
    first = store.run("sync", manifest, "--json")
    assert (first.code, first.record["outcome"], first.record["created"]) == (0, "done", 5)
    assert store.run("verify", manifest, "--json").record["outcome"] == "done"
    again = store.run("sync", manifest, "--json").record
    assert (again["created"], again["unchanged"]) == (0, 5)


def test_every_object_has_the_keys_that_scripts_rely_on(store: Rehearsal) -> None:
    """The names of the contract are there whatever the command, also where it could not begin."""
    manifest = store.write({1: 1})
    calls = [
        ["plan", manifest],
        ["apply", f"{manifest}.plan"],
        ["migrate", manifest],
        ["sync", manifest],
        ["verify", manifest],
        ["export", "-o", store.folder / "e.jsonl"],
        ["status", f"{manifest}.checkpoint.json"],
        ["sync", manifest, "--limit", "0"],
        ["sync"],
    ]
    for call in calls:
        result = store.run(*call, "--json")
        assert set(result.record) >= KEYS, call
        assert result.record["command"] == call[0]
        assert len(result.out.splitlines()) == 1, call


def test_a_plan_tells_counts_cost_and_file(store: Rehearsal) -> None:
    """`plan --json` adds what applying would change and cost, writes the plan, and nothing to the store."""
    manifest = store.write({1: 2})
    record = store.run("plan", manifest, "--json", "-o", store.folder / "my.plan").record
    expected = {"creates": 2, "updates": 0, "deletes": 0, "unchanged": 0, "plan": str(store.folder / "my.plan")}
    assert {name: record[name] for name in expected} == expected
    assert record["calls"] >= 4
    assert record["seconds"] >= 0
    assert all(entry.method == "GET" for entry in store.sandbox.log)


@pytest.mark.parametrize("command", ["migrate", "sync"])
def test_a_dry_run_is_a_plan(store: Rehearsal, command: str) -> None:
    """-n writes nothing to the store, exits 0, and names the plan file."""
    manifest = store.write({1: 2})
    result = store.run(command, manifest, "-n", "--json")
    assert (result.code, result.record["command"], result.record["creates"]) == (0, command, 2)
    assert all(entry.method == "GET" for entry in store.sandbox.log)
    assert os.path.exists(result.record["plan"])


def test_a_dry_apply_shows_the_plan_and_sends_nothing(store: Rehearsal) -> None:
    """`apply -n` judges and shows what it was given; the store hears nothing of it."""
    manifest = store.write({1: 2})
    store.run("plan", manifest)
    before = len(store.sandbox.log)
    result = store.run("apply", f"{manifest}.plan", "--dry-run")
    assert result.code == 0
    assert "2 changes in 1 of 1 product;" in result.out
    assert not [entry for entry in store.sandbox.log[before:] if entry.method != "GET"]


def test_images_that_fail_end_with_1_and_are_named(store: Rehearsal) -> None:
    """A refused image and a missing product are failures with their own reasons; the rest is carried."""
    store.sandbox.config.fetch = True
    manifest = store.folder / "products.jsonl"
    manifest.write_text(
        '{"product_id": 1, "images": [{"image_file": "http://127.0.0.1:9/dead.jpg"}]}\n{"product_id": 999, "images": []}\n'
    )
    result = store.run("sync", manifest, "--json")
    assert (result.code, result.record["outcome"], result.record["failed"]) == (1, "failed", 2)
    assert all(set(each) == FAILURE_KEYS for each in result.record["failures"])
    assert [each["product_id"] for each in result.record["failures"]] == [1, 999]
    told = store.run("sync", manifest)
    assert "http://127.0.0.1:9/dead.jpg" in told.out
    assert f"{manifest}.checkpoint.json.failed.jsonl" in told.out
    quiet = store.run("sync", manifest, "-q")
    assert (quiet.code, quiet.out) == (1, "")
    assert "dead.jpg" in quiet.err


def test_a_difference_ends_verify_with_1(store: Rehearsal) -> None:
    """`verify` names what differs and exits 1; with --no-delete a surplus image is none."""
    store.run("sync", store.write({1: 2}))
    fewer = store.write({1: 1}, "fewer.jsonl")
    result = store.run("verify", fewer, "--json")
    assert (result.code, result.record["outcome"], result.record["failed"]) == (1, "failed", 1)
    assert store.run("verify", fewer, "--no-delete").code == 0


def test_manifest_faults_end_with_2_each_with_its_line(store: Rehearsal) -> None:
    """Every fault is said as FILE:LINE and listed as a failure; nothing was sent."""
    manifest = store.folder / "bad.jsonl"
    manifest.write_text(
        '{"product_id": 1, "images": [{"image_file": "https://a.example/a.jpg", "sort_order": "x"}]}\n{"no": 1}\n'
    )
    result = store.run("sync", manifest, "--json")
    assert (result.code, result.record["outcome"]) == (2, "invalid")
    assert f"{manifest}:1: images[0].sort_order" in result.err
    assert {each["line"] for each in result.record["failures"]} == {1, 2}
    assert all(set(each) == FAILURE_KEYS for each in result.record["failures"])
    assert not store.sandbox.log


def test_a_manifest_can_come_from_standard_input(store: Rehearsal) -> None:
    """`-` reads it there, and needs to be told where to remember the run."""
    text = store.write({3: 1}).read_bytes()
    assert store.spawn("sync", "-", feed=text).code == 2
    result = store.spawn("sync", "-", "--checkpoint", "here.json", "--json", feed=text)
    assert (result.code, result.record["created"]) == (0, 1)


def test_a_guard_ends_with_3_and_says_how_to_allow_it(store: Rehearsal) -> None:
    """Too many deletes are refused by sync, plan and a dry run alike, and nothing is written."""
    store.run("sync", store.write({1: 10}))
    empty = store.write({1: 0}, "empty.jsonl")
    refused = store.run("sync", empty, "--json")
    assert (refused.code, refused.record["outcome"]) == (3, "refused")
    assert "--max-deletes 10" in refused.err
    planned = store.run("plan", empty, "--json")
    assert (planned.code, planned.record["outcome"], planned.record["deletes"]) == (3, "refused", 10)
    assert store.run("apply", "-n", planned.record["plan"]).code == 3
    assert store.sandbox.shop.catalogue.total_images == 10
    assert store.run("sync", empty, "--max-deletes", "10").code == 0


def test_a_held_checkpoint_ends_with_4_and_names_the_holder(store: Rehearsal) -> None:
    """A second run on the same checkpoint sends nothing and says who is at work since when."""
    store.sandbox.play(Fault("slow", delay=30, methods=("POST",)))
    manifest = store.write({1: 1})
    with store.started("sync", manifest) as first:
        until(lambda: any(entry.method == "GET" for entry in store.sandbox.log))
        second = store.run("sync", manifest, "--json")
        assert (second.code, second.record["outcome"]) == (4, "locked")
        assert str(first.pid) in second.err
        at_work = store.run("status", f"{manifest}.checkpoint.json", "--json")
        assert (at_work.code, at_work.record["run"], at_work.record["outcome"]) == (0, "sync", None)
        assert at_work.record["state"] in {"listing", "applying"}
        assert str(first.pid) in store.run("status", f"{manifest}.checkpoint.json").out


@pytest.mark.parametrize(
    "note",
    [
        {"pid": 1, "since": "x", "command": "sync"},
        {"pid": 1, "since": 1e30, "command": "sync"},
        {"pid": 1, "since": None, "command": "sync"},
        {"pid": True, "since": "nan", "command": "sync"},
        {"pid": -1, "since": 1.0, "command": "sync"},
        {"pid": 10**30, "since": 1.0, "command": "sync"},
        {"pid": 1, "since": 1.0, "command": ["sync"]},
        [1],
        "[" * 200_000,
        "\0",
    ],
    ids=lambda note: str(note)[:50],
)
def test_a_holder_note_that_makes_no_sense_leaves_the_lock_to_decide(store: Rehearsal, note: Any) -> None:
    """Held is exit 4, by whom is not readable; `status` goes on without the note."""
    manifest = store.write({1: 1})
    checkpoint = manifest.with_name(manifest.name + ".checkpoint.json")
    with checkpoint_lock(Ports().disk, Ports().now, checkpoint, "sync"):
        text = note if isinstance(note, str) else json.dumps(note)
        checkpoint.with_name(checkpoint.name + ".holder").write_text(text)
        second = store.run("sync", manifest, "--json")
        assert (second.code, second.record["outcome"]) == (4, "locked")
        assert "by whom is not readable" in second.err
        stands = store.run("status", checkpoint, "--json")
        assert (stands.code, stands.record["state"], stands.record["pid"]) == (0, "none", None)
    assert not store.sandbox.log


def test_refused_credentials_end_with_5(store: Rehearsal) -> None:
    """401 ends the run at once, and no output holds a token."""
    result = store.run("sync", store.write({1: 1}), "--json", BIGCOMMERCE_ACCESS_TOKEN="wr0ng-t0ken")
    assert (result.code, result.record["outcome"]) == (5, "unreachable")
    assert "wr0ng-t0ken" not in result.out + result.err


def test_a_store_out_of_reach_ends_with_5(store: Rehearsal) -> None:
    """A store that doesn't answer is given up after --give-up-after."""
    result = store.run("sync", store.write({1: 1}), "--give-up-after", "1", BIGCOMMERCE_API_URL="http://127.0.0.1:9")
    assert result.code == 5
    assert "Traceback" not in result.err


def test_fifty_same_refusals_stop_the_run_and_the_first_line_says_why(store: Rehearsal) -> None:
    """Exit 1, on the page and with -q; the same command goes on once the cause is gone."""
    store.sandbox.play(Fault("failed_before", 1.0, ("POST",), status=507))
    manifest = store.folder / "products.jsonl"
    rows = (
        {"product_id": n, "images": [{"image_file": f"http://127.0.0.1:9/{n}-{i}.jpg"} for i in range(3)]}
        for n in range(1, 31)
    )
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = store.run("migrate", manifest)
    assert result.code == 1
    assert result.out.startswith("migrate: stopped: the store refused 50 creates in a row in the same way (507: ")
    assert result.err.count("stopped: ") == 0
    _is_named_whole(store, manifest)
    quiet = store.run("migrate", manifest, "-q")
    assert (quiet.code, quiet.err.splitlines()[0][:26]) == (1, "migrate: stopped: the stor")
    told = store.run("migrate", manifest, "--json").record
    assert told["failed"] == len(told["failures"]) >= 50
    store.sandbox.play()
    done = store.run("migrate", manifest, "--json").record
    assert (done["created"], done["failed"], done["failures"]) == (90, 0, [])


def _is_named_whole(store: Rehearsal, manifest: Path) -> None:
    """Every image that the store refused is told by `status`, those of products that were under way included."""
    refused = {entry.body["image_file"] for entry in store.sandbox.log if entry.method == "POST"}
    told = store.run("status", f"{manifest}.checkpoint.json", "--json").record
    assert (told["failed"], {failure["image_file"] for failure in told["failures"]}) == (len(refused), refused)


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Rehearsal]:
    """A store that doesn't tell file names, so that only the checkpoint knows which image is which."""
    with rehearsing(tmp_path, names="lost") as store:
        yield store


def gone(*product_ids: int) -> list[Fault]:
    """These products answer 404, as a sick store's do."""
    return [Fault("failed_before", path=f"/products/{each}/images", status=404) for each in product_ids]


def test_known_images_of_products_that_answer_404_are_lost_ones(forgetful: Rehearsal) -> None:
    """Over 30% of them: refused, and the night after nothing is doubled; --allow-missing takes it as it is."""
    manifest = forgetful.write(dict.fromkeys(range(1, 11), 2))
    assert forgetful.run("migrate", manifest, "--json").record["created"] == 20
    forgetful.sandbox.play(*gone(6, 7, 8, 9))
    night = forgetful.run("migrate", manifest, "--settle", "0", "--json")
    assert (night.code, night.record["outcome"]) == (3, "refused")
    assert "no longer lists 8 of the 20 images" in night.err
    allowed = forgetful.run("migrate", manifest, "--settle", "0", "--allow-missing", "--json")
    assert (allowed.code, allowed.record["failed"]) == (1, 8)
    assert forgetful.sandbox.shop.catalogue.total_images == 20


def test_a_product_that_answers_404_for_a_night_is_not_forgotten(forgetful: Rehearsal) -> None:
    """Fewer than the guard minds: the products fail, and their images are known again once they are back."""
    manifest = forgetful.write(dict.fromkeys(range(1, 11), 2))
    forgetful.run("migrate", manifest)
    forgetful.sandbox.play(*gone(6, 7))
    night = forgetful.run("migrate", manifest, "--settle", "0", "--json")
    assert (night.code, night.record["failed"]) == (1, 4)
    forgetful.sandbox.play()
    after = forgetful.run("migrate", manifest, "--settle", "0", "--json")
    assert (after.code, after.record["created"], after.record["unchanged"]) == (0, 0, 20)
    assert forgetful.sandbox.shop.catalogue.total_images == 20


@pytest.mark.parametrize("kind", ["dropped_before", "dropped_after"])
def test_a_settling_of_over_a_minute_is_said_even_with_q(store: Rehearsal, kind: str) -> None:
    """Whether the create is set aside or was found and is looked at once more in the end."""
    store.sandbox.play(Fault(kind, methods=("POST",), count=1))
    with store.started("sync", store.write({1: 2}), "-q", "--settle", "75") as process:
        assert process.stderr is not None
        said = process.stderr.readline().decode()
    assert re.fullmatch(
        r"waiting 7\d s: creates in 1 product got no answer, and may still appear \(--settle\)\n", said
    ), said


@pytest.mark.parametrize(("old", "new"), [(b'"store":', b'"stOre":'), (b"1-0", b"1-9")], ids=["header", "line"])
def test_a_damaged_plan_of_an_unfinished_run_is_named_with_what_to_do(store: Rehearsal, old: bytes, new: bytes) -> None:
    """The file, and --fresh, which makes another: not how to make a plan that nobody gave."""
    manifest = store.write({1: 3, 2: 3})
    store.sandbox.play(Fault("hang", methods=("POST",), after=2))
    with store.started("migrate", manifest) as process:
        until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
        process.kill()
    store.sandbox.play()
    plan = store.folder / f"{manifest.name}.checkpoint.json.plan"
    plan.write_bytes(plan.read_bytes().replace(old, new, 1))
    result = store.run("migrate", manifest)
    assert (result.code, result.err.startswith(f"migrate: {plan}:")) == (2, True), result.err
    assert "It was left as it is: give --fresh to start again without it." in result.err
    assert store.run("status", f"{manifest}.checkpoint.json").err.startswith(f"status: {plan}:")
    assert store.run("migrate", manifest, "--fresh", "--settle", "0").code == 0


def test_a_failing_disk_ends_with_6(store: Rehearsal) -> None:
    """No folder for the checkpoint: nothing is sent."""
    result = store.run("sync", store.write({1: 1}), "--checkpoint", store.folder / "no" / "c.json", "--json")
    assert (result.code, result.record["outcome"]) == (6, "disk")
    assert not store.sandbox.log
    assert store.run("export", "-o", store.folder / "no" / "e.jsonl").code == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_one_signal_drains_and_the_same_command_resumes(tmp_path: Path, number: signal.Signals) -> None:
    """The run stops with 130 and a report; given again it makes the rest, and nothing twice."""
    with rehearsing(tmp_path, write_latency=0.05) as store:
        manifest = store.write(dict.fromkeys(range(1, 31), 4))
        with store.started("sync", manifest, "--json", "--concurrency", "2") as process:
            until(lambda: sum(entry.method == "POST" for entry in store.sandbox.log) > 5)
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        record = json.loads(out.splitlines()[-1])
        assert (process.returncode, record["outcome"]) == (130, "interrupted"), err
        assert 0 < record["created"] < 120
        for looking in (["plan", manifest], ["sync", manifest, "-n"], ["verify", manifest]):
            assert store.run(*looking, "--fresh").code in {0, 1}
        assert store.run("status", f"{manifest}.checkpoint.json", "--json").record["state"] == "interrupted"
        resumed = store.run("sync", manifest, "--json")
        assert (resumed.code, resumed.record["created"]) == (0, 120), resumed.err
        assert store.sandbox.shop.catalogue.total_images == 120


def test_the_second_signal_cuts_and_still_reports(store: Rehearsal) -> None:
    """A call that hangs is cut off; the report comes, and the exit code is 130."""
    store.sandbox.play(Fault("hang", methods=("POST",)))
    with store.started("sync", store.write({1: 1}), "--json") as process:
        until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        until(lambda: b"asked to stop" in process.stderr.readline())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["outcome"] == "interrupted"
    assert b"Traceback" not in err


@pytest.mark.parametrize("display", [[], ["-q"]], ids=["lines", "quiet"])
@pytest.mark.parametrize("header", ["X-Rate-Limit-Time-Reset-Ms: 1500000", "X-Retry-After: 1500"])
def test_a_signal_in_a_long_wait_is_heeded(store: Rehearsal, header: str, display: list[str]) -> None:
    """A wait of over a minute is said with its reason, also with -q, and the first signal ends it: nothing is in flight."""

    def play(call: Call) -> bytes:
        quota = ("X-Rate-Limit-Requests-Left: 0", "X-Rate-Limit-Requests-Quota: 9", "X-Rate-Limit-Time-Window-Ms: 9000")
        return answer(b"", 429, *quota, header) if call.kind == "list" else well(call)

    with sick_store(play) as sick:
        manifest = store.write({1: 1})
        with store.started("sync", manifest, "--json", *display, BIGCOMMERCE_API_URL=sick.url) as process:
            assert process.stderr is not None
            line = b""
            while b"waiting" not in line:
                line = process.stderr.readline()
                assert line, "it ended without a word"
            assert re.search(rb"waiting (25 min|1[45]\d\d s)", line), line
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=10)
    assert (process.returncode, json.loads(out.splitlines()[-1])["outcome"]) == (130, "interrupted"), err


def test_status_of_nothing_is_none(store: Rehearsal) -> None:
    """A checkpoint that isn't there has the state none, and that is no error."""
    result = store.run("status", "nothing.json", "--json")
    assert (result.code, result.record["state"], result.record["outcome"]) == (0, "none", None)


def test_status_of_a_damaged_checkpoint_ends_with_2(store: Rehearsal) -> None:
    """What can't be read is said, with the line."""
    manifest = store.write({1: 1})
    store.run("sync", manifest)
    checkpoint = store.folder / "products.jsonl.checkpoint.json"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"1-0", b"1-9"))
    result = store.run("status", checkpoint)
    assert result.code == 2
    assert f"{checkpoint}:" in result.err


def test_an_export_is_a_manifest_that_verifies(store: Rehearsal) -> None:
    """What export writes, to a file or to standard output, is the store's own content."""
    store.run("sync", store.write({1: 2, 2: 1}))
    written = store.folder / "export.jsonl"
    result = store.run("export", "-o", written, "--json", "--storefront-url", "https://shop.example.com")
    assert (result.code, result.record["products"], result.record["wanted"]) == (0, 2, 3)
    streamed = store.run("export", "--storefront-url", "https://shop.example.com")
    assert (streamed.code, streamed.out) == (0, written.read_text())
    assert "originals" in streamed.err
    assert store.run("verify", written).code == 0
    assert store.run("export", "--json").code == 2


def test_a_bug_of_ours_is_one_line_without_a_traceback(store: Rehearsal) -> None:
    """The message asks for a report; -v prints the traceback."""
    code = (
        "import sys, imageferry.jobs.__main__ as m\n"
        "def broken(*_): raise RuntimeError('odd\\x1b[31m')\n"
        "m._start = broken\n"
        "sys.exit(m.main(sys.argv[1:]))"
    )

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, "sync", "m", *more]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())

    told = run("--json")
    assert (told.returncode, json.loads(told.stdout)["outcome"]) == (1, "failed")
    assert len(told.stderr.splitlines()) == 1
    assert "report" in told.stderr
    assert "\x1b" not in told.stderr
    assert "Traceback" in run("-v").stderr
