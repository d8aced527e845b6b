"""Stores that make something of their own of what they are sent: it is told, remembered, and not sent night after night."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import imageferry
from imageferry.core.reconcile.remaining import MAX_PASSES

from .rehearsal import Rehearsal, Result, picture, rehearsing

if TYPE_CHECKING:
    from pathlib import Path

Image = dict[str, Any]
TEXTS: dict[str, tuple[Image, str, str]] = {
    "trims": ({"descriptions": "trimmed"}, " Front view ", "Front view"),
    "cuts": ({"description_length": 10}, "The front of it", "The front "),
    "escapes": ({"descriptions": "escaped"}, "Tom & Jerry", "Tom &amp; Jerry"),
}
ORDERS: dict[str, tuple[Image, list[int], list[int]]] = {
    "raises negative orders": ({"orders": "not-negative"}, [-5, 1, 2], [0, 1, 2]),
    "ignores the order of a PUT": ({"orders": "fixed"}, [2, 1, 0], [0, 1, 2]),
    "compacts orders": ({"orders": "compacted"}, [10, 20, 30], [0, 1, 2]),
    "ignores an order of equals": ({"orders": "fixed"}, [1, 0, 0], [0, 1, 2]),
}


def puts(store: Rehearsal) -> Counter[tuple[str, str]]:
    """Every PUT that was sent, by its path and body."""
    return Counter((e.path, json.dumps(e.body)) for e in store.sandbox.log if e.method == "PUT")


def writes(store: Rehearsal) -> int:
    """How many calls could have changed the store."""
    return sum(entry.method != "GET" for entry in store.sandbox.log)


def manifest(store: Rehearsal, images: list[Image]) -> Path:
    """A manifest of product 1."""
    path = store.folder / "m.jsonl"
    path.write_text(json.dumps({"product_id": 1, "images": images}) + "\n")
    return path


def there(names: int, **fields: list[Any]) -> list[Image]:
    """Rows for the images that the sandbox fills a product with, and what is asked of each."""
    return [
        {"image_file": f"https://old.example.com/product-1-{n + 1}.jpg", **{k: v[n] for k, v in fields.items()}}
        for n in range(names)
    ]


def told(result: Result) -> list[tuple[str, int, str]]:
    """The failures' fields, images and reasons."""
    return [(f["field"], f["image_id"], f["reason"]) for f in result.record["failures"]]


def run(store: Rehearsal, command: str, path: Path, *argv: str) -> Result:
    """A command with a short settle."""
    return store.run(command, path, "--settle", "1", "--json", *argv)


def test_the_answer_to_a_put_is_believed_before_a_listing_that_lags_for_long(tmp_path: Path) -> None:
    """Where listings lag longer than a settle, two swapped orders take two PUTs, and the run ends well."""
    with rehearsing(tmp_path, products=1, images=2, list_lag=600.0) as store:
        result = run(store, "sync", manifest(store, there(2, sort_order=[1, 0])))
        assert (result.code, result.record["updated"], sum(puts(store).values())) == (0, 2, 2)
        shown = {image.image_id: image.sort_order for image in store.sandbox.shop.catalogue.look(1).images}
        assert shown == {1: 1, 2: 0}


def test_what_a_lagging_listing_lacks_is_asked_for_before_it_is_made_again(tmp_path: Path) -> None:
    """An image whose create was answered is not made a second time because no listing shows it a settle later."""
    with rehearsing(tmp_path, products=1, images=2, list_lag=600.0, orders="compacted") as store:
        images = [{"image_file": picture(1, n), "sort_order": 5 + n} for n in range(2)]
        result = run(store, "sync", manifest(store, [*there(2), *images]))
        assert result.record["created"] == 2
        assert sum(entry.method == "POST" for entry in store.sandbox.log) == 2


@pytest.mark.parametrize("lag", [0.0, 0.3, 600.0], ids=["no lag", "a lag", "a lag beyond the settle"])
@pytest.mark.parametrize(("habit", "sent", "kept"), TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("new", [False, True], ids=["updated", "created"])
def test_a_text_that_the_store_changes_is_told_once_sent_and_not_sent_again(
    tmp_path: Path, habit: Image, sent: str, kept: str, lag: float, *, new: bool
) -> None:
    """The first night sends it once and names field, sent and kept value; later nights send nothing and say the same; so does verify."""
    with rehearsing(tmp_path, products=1, images=0 if new else 2, list_lag=lag, **habit) as store:
        rows = [{"image_file": picture(1, n)} for n in range(2)] if new else there(2)
        rows[0]["description"], rows[1]["description"] = sent, "plain"
        path = manifest(store, rows)
        first = run(store, "sync", path)
        sent_once = writes(store)
        assert first.code == 1
        assert [(field, image) for field, image, _ in told(first)] == [("description", 1)]
        assert repr(sent) in told(first)[0][2]
        assert repr(kept) in told(first)[0][2]
        assert sent_once == 2
        store.sandbox.config.list_lag = 0.0
        store.sandbox.shop.catalogue.open(1).past = None
        for command in ("sync", "verify", "sync", "migrate"):
            later = run(store, command, path)
            assert (later.code, told(later), later.record["failed"]) == (1, told(first), 1), command
            assert writes(store) == sent_once


def test_a_kept_text_holds_no_delete_back(tmp_path: Path) -> None:
    """What the store makes of a text is no reason to leave surplus images standing, in the first night or later."""
    with rehearsing(tmp_path, products=1, images=3, descriptions="trimmed") as store:
        rows = there(3)
        rows[0]["description"] = " Front "
        assert run(store, "sync", manifest(store, rows[:2])).record["deleted"] == 1
        assert run(store, "sync", manifest(store, rows[:1])).record["deleted"] == 1
        assert [image.image_id for image in store.sandbox.shop.catalogue.look(1).images] == [1]


def test_a_kept_text_is_compared_anew_once_somebody_changes_it(tmp_path: Path) -> None:
    """Another text in the manifest is sent; the old one is sent again where the store no longer shows what it had made of it."""
    with rehearsing(tmp_path, products=1, images=1, descriptions="trimmed") as store:
        rows = there(1, description=[" Front "])
        run(store, "sync", manifest(store, rows))
        assert run(store, "sync", manifest(store, there(1, description=["Front"]))).code == 0
        assert writes(store) == 1
        assert run(store, "sync", manifest(store, there(1, description=["Back"]))).code == 0
        assert writes(store) == 2
        run(store, "sync", manifest(store, rows))
        store.sandbox.shop.catalogue.open(1).images[0].description = "Mine"
        again = run(store, "sync", manifest(store, rows))
        assert (again.code, writes(store)) == (1, 4)


@pytest.mark.parametrize("lag", [0.0, 0.3, 600.0], ids=["no lag", "a lag", "a lag beyond the settle"])
@pytest.mark.parametrize(("habit", "asked", "kept"), ORDERS.values(), ids=ORDERS)
def test_orders_of_the_store_s_own_end_and_are_not_sent_again(
    tmp_path: Path, habit: Image, asked: list[int], kept: list[int], lag: float
) -> None:
    """No PUT is sent more often than a product is mended; the images concerned fail by field, and later nights send nothing."""
    with rehearsing(tmp_path, products=1, images=3, list_lag=lag, **habit) as store:
        path = manifest(store, there(3, sort_order=asked))
        first = run(store, "sync", path)
        assert max(puts(store).values()) <= MAX_PASSES + 1
        assert first.code == 1
        assert {field for field, _, _ in told(first)} == {"sort_order"}
        wrong = {n + 1 for n in range(3) if asked[n] != kept[n]}
        assert {image for _, image, _ in told(first)} <= wrong
        sent = writes(store)
        store.sandbox.config.list_lag = 0.0
        store.sandbox.shop.catalogue.open(1).past = None
        for command in ("sync", "verify", "sync"):
            later = run(store, command, path)
            assert (later.code, sorted(told(later)), writes(store)) == (1, sorted(told(first)), sent), command


def test_a_new_order_beside_a_kept_text_blames_the_image_of_that_text_alone(tmp_path: Path) -> None:
    """Two swapped orders and a text that the store trims: the orders are as asked, and one image fails, with its field."""
    with rehearsing(tmp_path, products=1, images=3, descriptions="trimmed") as store:
        rows = there(3, sort_order=[1, 0, 2])
        rows[2]["description"] = "Side "
        result = run(store, "sync", manifest(store, rows))
        assert [(field, image) for field, image, _ in told(result)] == [("description", 3)]
        assert [image.sort_order for image in store.sandbox.shop.catalogue.look(1).images] == [1, 0, 2]


def test_a_plan_says_what_the_store_keeps(tmp_path: Path) -> None:
    """Nothing is to be sent, and the plan's page does not call the store as the manifest says."""
    with rehearsing(tmp_path, products=1, images=1, descriptions="trimmed") as store:
        path = manifest(store, there(1, description=[" Front "]))
        run(store, "sync", path)
        page = store.run("plan", path)
        assert page.code == 0
        assert "as the manifest says" not in page.out
        assert "' Front '" in page.out


def test_an_apply_of_a_product_that_keeps_its_own_names_it_too(tmp_path: Path) -> None:
    """A plan that was made and carried out the first night, and one made afterwards, name the image alike and send nothing more."""
    with rehearsing(tmp_path, products=1, images=1, descriptions="trimmed") as store:
        path = manifest(store, there(1, description=[" Front "]))
        plan = f"{path}.plan"
        ends = []
        for _ in range(2):
            store.run("plan", path)
            result = store.run("apply", plan, "--json")
            ends.append((result.code, told(result)))
        again = store.run("apply", plan, "--json")
        assert ends[0] == ends[1] == (again.code, told(again))
        assert (ends[0][0], writes(store)) == (1, 1)


@pytest.mark.parametrize(("habit", "sent", "kept"), TEXTS.values(), ids=TEXTS)
def test_an_undo_knows_its_own_texts_as_the_store_keeps_them(
    tmp_path: Path, habit: Image, sent: str, kept: str
) -> None:
    """What the store made of a text is no change by somebody else: the run's images go, and former texts come back."""
    with rehearsing(tmp_path, products=1, images=2, **habit) as store:
        rows = [*there(2, description=[sent, sent]), {"image_file": picture(1, 9), "description": sent}]
        path = manifest(store, rows)
        run(store, "sync", path)
        images = store.sandbox.shop.catalogue.look(1).images
        assert [image.description for image in images] == [kept] * 3
        undone = store.run("undo", path.with_name(path.name + ".checkpoint.json"), "--yes", "--json")
        assert (undone.code, told(undone)) == (0, [])
        images = store.sandbox.shop.catalogue.look(1).images
        assert [image.description for image in images] == ["View 1", "View 2"]


@pytest.mark.parametrize(("habit", "asked", "kept"), ORDERS.values(), ids=ORDERS)
def test_an_undo_of_orders_that_the_store_keeps_ends(
    tmp_path: Path, habit: Image, asked: list[int], kept: list[int]
) -> None:
    """No PUT goes out more often than a product is mended, and the former gallery stands, or what does not is named."""
    with rehearsing(tmp_path, products=1, images=3, **habit) as store:
        path = manifest(store, there(3, sort_order=asked, description=["a", "b", "c"]))
        run(store, "sync", path)
        before = puts(store)
        undone = run(store, "undo", path.with_name(path.name + ".checkpoint.json"), "--yes")
        assert max((puts(store) - before).values()) <= MAX_PASSES + 1
        images = store.sandbox.shop.catalogue.look(1).images
        assert [image.description for image in images] == ["View 1", "View 2", "View 3"]
        assert undone.code == int([image.sort_order for image in images] != [0, 1, 2]), kept


def test_mending_more_than_was_planned_never_shows_more_done_than_there_is(tmp_path: Path) -> None:
    """In a store that moves no siblings, more is written than the plan reckoned with; progress ends at its total."""
    with rehearsing(tmp_path, products=1, images=3, renumber="none") as store:
        path = manifest(store, there(3, sort_order=[1, 2, 3]))
        progress = imageferry.Progress()
        access = imageferry.Access(store.sandbox.store_hash, store.sandbox.access_token, store.sandbox.api_url)
        report = asyncio.run(imageferry.sync(access, path, imageferry.Options(settle=0.2), progress=progress))
        progress.traffic = None
        now = progress.snapshot()
        assert (report.outcome, progress.images) == ("done", 1)
        assert now.images_done == now.images == report.updated == 3


def test_progress_beyond_what_was_planned_raises_the_total() -> None:
    """What is shown as done is never more than what is shown as all, and no time is named for nothing."""
    progress = imageferry.Progress()
    progress.start_phase("applying", products=1, images=3)
    progress.products_done, progress.images_done = 2, 66
    now = progress.snapshot()
    assert (now.products, now.images) == (2, 66)
