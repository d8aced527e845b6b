"""Sources whose name the store completes or cuts, over real sockets: killed, unanswered, forgotten, signed anew. One image each."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from imageferry.jobs.sandbox import Fault

from .rehearsal import rehearsing, until

if TYPE_CHECKING:
    from pathlib import Path

    from .rehearsal import Rehearsal

HOST = "https://h.example.com"
SOURCES = [
    f"{HOST}/media?id=7",
    f"{HOST}/1/image.php",
    f"{HOST}/1/pic.ashx?n=3",
    f"{HOST}/photo.jfif",
    f"{HOST}/scan.tif",
    f"{HOST}/phone.heic",
    f"{HOST}/large.jpg:large",
    f"{HOST}/style.jpg!d",
    f"{HOST}/sized.jpg/w=800",
    f"{HOST}/{'n' * 200}.jpg",
]
WAYS = ("replaced", "appended", "underscored", "kept", "queried")


def manifest(store: Rehearsal, sources: list[str]) -> Path:
    """All sources in product 1."""
    path = store.folder / "m.jsonl"
    row = {"product_id": 1, "images": [{"image_file": source, "sort_order": n} for n, source in enumerate(sources)]}
    path.write_text(json.dumps(row) + "\n")
    return path


def writes(store: Rehearsal) -> int:
    """How many calls that could change the store it has had."""
    return sum(call.method != "GET" for call in store.sandbox.log)


def images(store: Rehearsal) -> int:
    """How many images product 1 has."""
    return len(store.sandbox.shop.catalogue.open(1).images)


def forget(path: Path) -> None:
    """The checkpoint is lost, with all that lies beside it."""
    for each in path.parent.glob(path.name + ".checkpoint*"):
        shutil.rmtree(each) if each.is_dir() else each.unlink()


def config(way: str, **more: Any) -> dict[str, Any]:
    return {"products": 1, "images": 0, "completed": way, "longest_name": 100, **more}


@pytest.mark.parametrize("way", WAYS)
def test_answers_that_are_lost_double_nothing(tmp_path: Path, way: str) -> None:
    """Every create is done and its answer lost: each image is found again under the name that the store made up."""
    with rehearsing(
        tmp_path, **config(way, faults=(Fault("dropped_after", 1.0, ("POST",), count=len(SOURCES)),))
    ) as store:
        result = store.run("migrate", manifest(store, SOURCES), "--settle", 0.3, "--json")
        assert (result.code, result.record["adopted"]) == (0, len(SOURCES)), result.err
        assert images(store) == len(SOURCES)


@pytest.mark.parametrize("way", WAYS)
def test_a_lost_checkpoint_deletes_nothing_and_makes_nothing(tmp_path: Path, way: str) -> None:
    """Names alone tell that all is there: sync and migrate send no write, neither at once nor in the night after it."""
    with rehearsing(tmp_path, **config(way)) as store:
        path = manifest(store, SOURCES)
        assert store.run("sync", path).code == 0
        before = writes(store)
        assert store.run("sync", path).code == 0
        for command in ("sync", "migrate", "sync"):
            forget(path)
            assert store.run(command, path).code == 0
        assert store.run("sync", path).code == 0
        assert (writes(store), images(store)) == (before, len(SOURCES))


@pytest.mark.parametrize("way", ["replaced", "appended"])
def test_killed_with_creates_in_flight_and_given_again_makes_one_image_each(tmp_path: Path, way: str) -> None:
    """The first process dies before any answer comes; the second finds every image."""
    faults = (Fault("slow", 1.0, ("POST",), delay=30.0, count=len(SOURCES)),)
    with rehearsing(tmp_path, **config(way, products=len(SOURCES), faults=faults)) as store:
        path = store.folder / "m.jsonl"
        rows = [{"product_id": n, "images": [{"image_file": source}]} for n, source in enumerate(SOURCES, 1)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        catalogue = store.sandbox.shop.catalogue
        with store.started("sync", path, "--settle", 0.3, "--concurrency", len(SOURCES)) as process:
            until(lambda: catalogue.total_images == len(SOURCES))
            process.kill()
            process.wait()
        result = store.run("sync", path, "--settle", 0.3, "--json")
        assert (result.code, result.record["adopted"]) == (0, len(SOURCES)), result.err
        assert catalogue.total_images == len(SOURCES)


@pytest.mark.parametrize("way", ["replaced", "queried"])
def test_a_new_signature_each_night_replaces_nothing(tmp_path: Path, way: str) -> None:
    """Four nights of new signatures on addresses without a telling name: no write after the first."""
    with rehearsing(tmp_path, **config(way)) as store:
        before = 0
        for night in range(4):
            signed = [f"{HOST}/media?id={n}&X-Amz-Date={night}&X-Amz-Signature={night:064x}" for n in range(3)]
            signed += [f"{HOST}/download.php?Expires={night}&sig=s{night}", f"{HOST}/p.jpg?token={night}"]
            assert store.run("sync", manifest(store, signed)).code == 0
            before = before or writes(store)
        assert (writes(store), images(store)) == (before, 5)


def test_an_only_newcomer_is_taken_before_anything_is_sent_again(tmp_path: Path) -> None:
    """Whatever the store made of a name that says nothing, one create and one new image are each other's."""
    faults = (Fault("dropped_after", 1.0, ("POST",), count=1),)
    with rehearsing(tmp_path, **config("replaced", names="lost", faults=faults)) as store:
        result = store.run("migrate", manifest(store, [f"{HOST}/media?id=7"]), "--settle", 0.3, "--json")
        assert (result.code, result.record["adopted"], images(store)) == (0, 1, 1), result.err


def test_a_guess_is_told_by_the_plan(tmp_path: Path) -> None:
    """Two addresses of one name whose fields are equal: the page, the plan's file and its record say so."""
    with rehearsing(tmp_path, **config("replaced")) as store:
        path = store.folder / "m.jsonl"
        pair = [{"image_file": f"{HOST}/media?id={n}"} for n in (7, 8)]
        path.write_text(json.dumps({"product_id": 1, "images": pair}) + "\n")
        assert store.run("migrate", path).code == 0
        forget(path)
        page, record = store.run("plan", path), store.run("plan", path, "--json").record
        assert "guessed" in page.out
        assert f"{HOST}/media?id=7 = image 1" in page.out
        assert (record["guessed"], record["creates"]) == (2, 0)
        told = [json.loads(line).get("guessed") for line in (store.folder / "m.jsonl.plan").read_text().splitlines()]
        assert {f"{HOST}/media?id=7": 1, f"{HOST}/media?id=8": 2} in told
