"""Lines of the contract that no other file holds: the order of checks, the guards and their flags, selections, defaults."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

import imageferry
from imageferry.jobs.cli.command_table import COMMANDS
from imageferry.jobs.cli.flags import GROUPS
from imageferry.jobs.sandbox import Fault

from ..rehearsal import Rehearsal, picture, rehearsing, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def writes(store: Rehearsal) -> int:
    """How many calls could have changed the store."""
    return sum(entry.method != "GET" for entry in store.sandbox.log)


def images(store: Rehearsal) -> int:
    """How many images the store has."""
    total: int = store.sandbox.shop.catalogue.total_images
    return total


@pytest.mark.parametrize("command", ["plan", "migrate", "sync", "verify", "apply", "undo", "export", "status"])
def test_each_command_takes_the_flags_that_the_contract_gives_it(command: str) -> None:
    """Selections and guards where there is a manifest or a plan, pace where something is sent, output everywhere."""
    found = next(each for each in COMMANDS if each.name == command)
    flags = {name for flag in found.own for name in flag.names}
    flags |= {name for group in found.groups for flag in GROUPS[group][1] for name in flag.names}
    expected = {"--json", "--quiet", "-q", "--verbose", "-v"}
    if command != "status":
        expected |= {
            "--store-hash",
            "--api-url",
            "--concurrency",
            "--rate",
            "--quota-share",
            "--settle",
            "--give-up-after",
            "--stall-after",
        }
    if command in {"plan", "migrate", "sync", "verify"}:
        expected |= {"--only", "--limit"}
    if command in {"plan", "migrate", "sync", "verify", "apply"}:
        expected |= {"--checkpoint", "--fresh", "--max-deletes", "--allow-shrink", "--allow-missing", "--files"}
        expected |= {"--backup", "--storefront-url"}
    expected |= {
        "plan": {"-o", "--output", "--no-delete"},
        "verify": {"--no-delete"},
        "export": {"-o", "--output", "--storefront-url"},
        "undo": {"--yes", "--backup", "--allow-loss", "-n", "--dry-run"},
        "status": set(),
    }.get(command, {"-n", "--dry-run"})
    assert flags == expected


def test_the_defaults_that_the_help_names_are_the_engines() -> None:
    """What is said and what is done are two places."""
    said = {flag.names[0]: flag.default for _, group in GROUPS.values() for flag in group}
    options = imageferry.Options()
    for flag, value in {
        "--settle": options.settle,
        "--give-up-after": options.give_up_after,
        "--stall-after": options.stall_after,
    }.items():
        assert float(said[flag]) == value
    assert said["--max-deletes"] == f"{options.max_deletes.share:.0%}"
    assert float(said["--quota-share"]) == options.quota_share * 100


def test_the_first_fault_ends_the_run_in_the_order_of_the_contract(tmp_path: Path) -> None:
    """Settings, the checkpoint's folder, its lock, the checkpoint, the manifest, credentials, guards: all wrong, mended one by one."""
    with rehearsing(tmp_path) as store:
        store.run("sync", store.write({1: 12}))
        checkpoint = tmp_path / "products.jsonl.checkpoint.json"
        whole = checkpoint.read_bytes()
        checkpoint.write_bytes(whole[:-9] + b"x" * 9)
        manifest = tmp_path / "products.jsonl"
        manifest.write_text('{"product_id": 1, "imags": []}\n')
        wrong: dict[str, str] = {"BIGCOMMERCE_ACCESS_TOKEN": "wrong"}

        def ends(*more: object, **variables: str) -> tuple[int, str]:
            record = store.run(
                "sync", manifest, "--json", "--checkpoint", checkpoint, *more, **{**wrong, **variables}
            ).record
            return record["outcome"], record["failures"][0]["field"] if record["failures"] else record.get("error")

        nowhere = ["--checkpoint", tmp_path / "no" / "c.json"]
        assert "--limit" in ends("--limit", "0", *nowhere)[1]
        assert ends(*nowhere)[0] == "disk"
        with _holding(checkpoint):
            assert ends()[0] == "locked"
        assert ends() == ("invalid", ends()[1])
        assert "damaged" in ends()[1]
        checkpoint.write_bytes(whole)
        assert ends() == ("invalid", "imags")
        manifest.write_text('{"product_id": 1, "images": []}\n')
        assert ends()[0] == "unreachable"
        assert writes(store) == 12
        wrong.clear()
        assert ends()[0] == "refused"
        assert ends("--max-deletes", "100%", "--allow-shrink")[0] == "done"


def _holding(checkpoint: Path) -> Any:
    from imageferry.disk.lock import checkpoint_lock
    from imageferry.runs.context import Ports

    return checkpoint_lock(Ports().disk, Ports().now, checkpoint, "sync")


def test_a_manifest_that_shrank_is_refused_until_that_is_allowed(store: Rehearsal) -> None:
    """Compared with the finished run before it; at least ten images, over 30% of them gone."""
    manifest = store.write({1: 5, 2: 5})
    store.run("migrate", manifest)
    store.write({1: 5, 2: 1})
    result = store.run("migrate", manifest, "--json")
    assert (result.code, result.record["outcome"]) == (3, "refused")
    assert "--allow-shrink" in result.err
    assert store.run("migrate", manifest, "-n").code == 3
    assert store.run("migrate", manifest, "--allow-shrink").code == 0


def test_a_store_that_lost_what_was_known_is_refused_until_that_is_allowed(store: Rehearsal) -> None:
    """A sick listing must not cause a mass upload."""
    manifest = store.write({1: 6, 2: 6})
    store.run("sync", manifest)
    store.sandbox.shop.catalogue.open(1).images.clear()
    before = writes(store)
    result = store.run("sync", manifest, "--settle", "0", "--json")
    assert (result.code, "--allow-missing" in result.err, writes(store)) == (3, True, before)
    assert store.run("sync", manifest, "--allow-missing", "--settle", "0", "--json").record["created"] == 6


def _without(products: Iterable[int]) -> list[Fault]:
    """A store that says it hasn't these products."""
    return [Fault("failed_before", status=404, path=f"/products/{n}/") for n in products]


@pytest.mark.parametrize(("sick", "code"), [(15, 3), (3, 1)])
def test_products_that_answer_404_for_a_night_are_missed_and_not_forgotten(
    tmp_path: Path, sick: int, code: int
) -> None:
    """Over 30% of the known images behind a 404 is refused; fewer fail; either way nothing is made twice when they are back."""
    with rehearsing(tmp_path, names="lost", images=0) as store:
        manifest = store.write(dict.fromkeys(range(1, 21), 2))
        assert store.run("migrate", manifest).code == 0
        store.sandbox.play(*_without(range(1, sick + 1)))
        before = writes(store)
        night = store.run("migrate", manifest, "--settle", "0")
        assert (night.code, "--allow-missing" in night.err, writes(store)) == (code, code == 3, before)
        store.sandbox.play()
        morning = store.run("migrate", manifest, "--settle", "0", "--json")
        assert (morning.code, morning.record["created"], store.sandbox.shop.catalogue.total_images) == (0, 0, 40)


def test_products_that_were_deleted_on_purpose_are_allowed_once(store: Rehearsal) -> None:
    """The allowed run forgets them, so that the next night isn't refused for them again; they fail by name as ever."""
    manifest = store.write(dict.fromkeys(range(1, 11), 2))
    store.run("sync", manifest)
    for product in range(1, 6):
        store.sandbox.shop.catalogue.remove(product)
    refused = store.run("sync", manifest, "--settle", "0")
    assert (refused.code, "forgets the products that are gone" in refused.err) == (3, True)
    assert store.run("sync", manifest, "--settle", "0", "--allow-missing", "--json").record["failed"] == 10
    assert store.run("sync", manifest, "--settle", "0", "--json").record["failed"] == 10


@pytest.mark.parametrize(("products", "code"), [(4, 1), (5, 3), (24, 3), (300, 3)])
def test_products_that_are_all_missing_mean_the_wrong_store(store: Rehearsal, products: int, code: int) -> None:
    """From five on, and with 25 before the rest is even asked for; fewer are failures of their own."""
    result = store.run("sync", store.write(dict.fromkeys(range(1000, 1000 + products), 1)), "--json")
    assert result.code == code
    assert writes(store) == 0
    assert sum(entry.method == "GET" for entry in store.sandbox.log) < 250


@pytest.mark.parametrize(("allowed", "code"), [("29%", 3), ("30%", 0), ("2", 3), ("3", 0), ("100%", 0), ("0", 3)])
def test_deletes_are_counted_against_what_is_allowed(store: Rehearsal, allowed: str, code: int) -> None:
    """Three of ten images, as a count or as a share."""
    manifest = store.write({1: 10})
    store.run("sync", manifest)
    store.write({1: 7})
    assert store.run("sync", manifest, "--max-deletes", allowed).code == code
    assert images(store) == (10 if code else 7)


def test_under_ten_images_a_share_is_not_judged_and_a_count_is(store: Rehearsal) -> None:
    """A trial with one product must be possible."""
    manifest = store.write({1: 9})
    store.run("sync", manifest)
    store.write({1: 0})
    assert store.run("sync", manifest, "--max-deletes", "8").code == 3
    assert store.run("sync", manifest).code == 0
    assert images(store) == 0


@pytest.mark.parametrize(("flag", "value", "made"), [("--only", "3,1", 4), ("--limit", "2", 3)])
def test_a_part_of_the_manifest_can_be_tried(store: Rehearsal, flag: str, value: str, made: int) -> None:
    """Just these products, or the first of them; the whole comes after, with the same checkpoint."""
    manifest = store.write({1: 1, 2: 2, 3: 3})
    assert store.run("migrate", manifest, flag, value, "--json").record["created"] == made
    assert store.run("migrate", manifest, "--json").record["created"] == 6 - made


def test_without_deletes_a_plan_is_what_migrate_would_do(store: Rehearsal) -> None:
    """And with them what sync would; the plan file is written even where a guard refuses."""
    store.run("sync", store.write({1: 10}))
    manifest = store.write({1: 1}, "fewer.jsonl")
    assert store.run("plan", manifest, "--no-delete", "--json").record["deletes"] == 0
    refused = store.run("plan", manifest, "--json")
    assert (refused.code, refused.record["deletes"], refused.record["plan"]) == (3, 9, f"{manifest}.plan")
    assert json.loads((store.folder / "fewer.jsonl.plan").read_text().splitlines()[0])["mode"] == "sync"


def test_a_plan_is_carried_out_once_and_again_says_so(store: Rehearsal) -> None:
    """`apply` given again resumes; what is done stays done."""
    manifest = store.write({1: 2})
    plan = store.run("plan", manifest, "--json").record["plan"]
    assert store.run("apply", plan, "--json").record["created"] == 2
    before = writes(store)
    assert store.run("apply", plan).code in {0, 1}
    assert (images(store), writes(store)) == (2, before)


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-5],
        lambda b: b.replace(b"old.example", b"bad.example"),
        lambda _: b"",
        lambda _: b"{}\n",
        lambda b: b.replace(b'"store":', b'"stOre":', 1),
    ],
    ids=["cut", "edited", "empty", "something else", "its header edited"],
)
def test_a_plan_that_is_not_as_it_was_made_is_refused(store: Rehearsal, damage: Callable[[bytes], bytes]) -> None:
    """Exit 2 and nothing is written; so is one for another store."""
    plan = store.folder / "a.plan"
    store.run("plan", store.write({1: 2}), "-o", plan)
    elsewhere = store.run("apply", plan, "--json", BIGCOMMERCE_STORE_HASH="other")
    assert (elsewhere.code, elsewhere.record["outcome"]) == (2, "invalid")
    plan.write_bytes(damage(plan.read_bytes()))
    result = store.run("apply", plan, "--json")
    assert result.code == 2
    assert result.err.startswith(f"apply: {plan}:")
    assert "make it again with `imageferry plan`" in result.err
    assert writes(store) == 0


def test_another_command_on_an_unfinished_checkpoint_settles_and_plans_anew(store: Rehearsal) -> None:
    """A migrate that was killed, then sync with the same checkpoint: as asked, and nothing twice."""
    manifest = store.write({1: 3, 2: 3})
    store.sandbox.play(Fault("hang", methods=("POST",), after=2))
    with store.started("migrate", manifest) as process:
        until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
        process.send_signal(signal.SIGKILL)
    store.sandbox.play()
    store.write({1: 3, 2: 1})
    result = store.run("sync", manifest, "--settle", "0.2", "--max-deletes", "9", "--json")
    assert (result.code, images(store)) == (0, 4), result.err
    assert store.run("verify", manifest).code == 0


def test_fresh_sets_an_unfinished_run_aside_and_keeps_its_files(store: Rehearsal) -> None:
    """Renamed, not deleted, and said where."""
    manifest = store.write({1: 3})
    store.sandbox.play(Fault("hang", methods=("POST",), after=1))
    with store.started("migrate", manifest) as process:
        until(lambda: store.sandbox.conductor.script.statistics()[0]["struck"] > 0)
        process.send_signal(signal.SIGKILL)
    store.sandbox.play()
    journal = store.folder / "products.jsonl.checkpoint.json.journal"
    before = journal.read_bytes()
    result = store.run("migrate", manifest, "--fresh")
    assert (result.code, images(store)) == (0, 3)
    aside = [path for path in store.folder.iterdir() if ".aside-" in path.name]
    assert before in [path.read_bytes() for path in aside]
    assert all(str(path) in result.err for path in aside)


def test_the_products_that_failed_are_a_manifest_that_finishes_the_job(store: Rehearsal) -> None:
    """Whole products, once the cause is gone."""
    store.sandbox.config.fetch = True
    manifest = store.folder / "products.jsonl"
    manifest.write_text(
        '{"product_id": 1, "images": [{"image_file": "http://127.0.0.1:9/a.jpg"}]}\n{"product_id": 2, "images": []}\n'
    )
    assert store.run("sync", manifest).code == 1
    store.sandbox.config.fetch = False
    failed = store.folder / "products.jsonl.checkpoint.json.failed.jsonl"
    assert len(failed.read_text().splitlines()) == 1
    assert store.run("sync", failed).code == 0
    assert store.run("verify", manifest).code == 0


def test_local_pictures_lie_with_the_manifest_or_where_files_says(store: Rehearsal) -> None:
    """The manifest's own folder; with `-` the working folder; or --files."""
    from PIL import Image

    for name in ("here.png", "there/there.png"):
        (store.folder / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(store.folder / name)
    (store.folder / "m.jsonl").write_text('{"product_id": 1, "images": [{"image_file": "here.png"}]}\n')
    assert store.run("migrate", store.folder / "m.jsonl").code == 0
    line = b'{"product_id": 2, "images": [{"image_file": "there.png"}]}\n'
    assert store.spawn("migrate", "-", "--checkpoint", "c", feed=line).code == 2
    assert store.spawn("migrate", "-", "--checkpoint", "c", "--files", "there", feed=line).code == 0
    assert store.spawn("migrate", "-", "--checkpoint", "d", feed=line.replace(b"there.png", b"here.png")).code == 0
    assert images(store) == 3


def test_an_export_leaves_products_without_images_out_and_says_which_pictures_it_names(store: Rehearsal) -> None:
    """To standard output; the note goes to standard error."""
    store.run("sync", store.write({1: 1, 3: 1}))
    result = store.run("export")
    assert [json.loads(line)["product_id"] for line in result.out.splitlines()] == [1, 3]
    assert "largest rendition" in result.err
    assert result.err.count("largest rendition") == 1


def test_a_product_that_is_missing_fails_each_of_its_images(store: Rehearsal) -> None:
    """Or once, if it has none; the counts are of images."""
    manifest = store.write({1: 1, 999: 3})
    record = store.run("sync", manifest, "--json").record
    assert (record["failed"], record["created"]) == (3, 1)
    assert {each["image_file"] for each in record["failures"]} == {picture(999, n) for n in range(3)}
    assert {each["status"] for each in record["failures"]} == {404}


def test_status_of_a_finished_run_has_its_counts_and_its_outcome(store: Rehearsal) -> None:
    """The same keys; the command under `run`."""
    manifest = store.write({1: 2})
    store.run("sync", manifest)
    record = store.run("status", f"{manifest}.checkpoint.json", "--json").record
    assert (record["state"], record["run"], record["outcome"], record["created"], record["wanted"]) == (
        "finished",
        "sync",
        "done",
        2,
        2,
    )
    assert record["command"] == "status"


def _killed_with_a_create_on_its_way(store: Rehearsal) -> Path:
    """A migrate that dies while its second create is out; the store carries it out two seconds later."""
    manifest = store.write({1: 3})
    store.sandbox.play(
        Fault("late_commit", methods=("POST",), after=1, count=1, delay=4.0), Fault("hang", methods=("GET",), after=2)
    )
    with store.started("migrate", manifest, "--settle", "0.1") as process:
        until(lambda: any(entry.fault == "late_commit" and entry.status for entry in store.sandbox.log))
        process.send_signal(signal.SIGKILL)
    store.sandbox.play()
    return manifest


def test_fresh_looks_first_for_what_may_have_been_made(store: Rehearsal) -> None:
    """A create whose answer never came, and whose image appears after the kill, is not made twice."""
    manifest = _killed_with_a_create_on_its_way(store)
    result = store.run("migrate", manifest, "--fresh", "--settle", "7")
    until(lambda: all(entry.committed for entry in store.sandbox.log if entry.fault == "late_commit"))
    assert (result.code, images(store)) == (0, 3), result.err
    assert "1 create of the run that was set aside may have happened: looked for first" in result.err


def test_fresh_says_how_many_creates_it_forgets(store: Rehearsal) -> None:
    """Without the plan of the run that was set aside they can't be told apart: they are waited for, and counted."""
    manifest = _killed_with_a_create_on_its_way(store)
    manifest.with_name("products.jsonl.checkpoint.json.plan").unlink()
    result = store.run("migrate", manifest, "--fresh", "--settle", "7")
    until(lambda: all(entry.committed for entry in store.sandbox.log if entry.fault == "late_commit"))
    assert (result.code, images(store)) == (0, 3), result.err
    assert "1 create of the run that was set aside may still appear, and cannot be told any more" in result.err
