"""Local pictures that were cut off: a warning that names them, once; no refusal, and no silence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ..picture_corpus import CUT, SOUND

if TYPE_CHECKING:
    from pathlib import Path

    from .rehearsal import Rehearsal

CUT_JPEG = CUT["JPEG, cut at 50% of its pixels"]
SAID = "1 local image is truncated"


def manifest(store: Rehearsal, pictures: dict[str, bytes]) -> Path:
    """A product for each picture, which lies beside the manifest."""
    lines = []
    for number, (name, data) in enumerate(pictures.items(), 1):
        (store.folder / name).write_bytes(data)
        lines.append({"product_id": number, "images": [{"image_file": name}]})
    path = store.folder / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def stored(store: Rehearsal) -> int:
    """How many images the store has."""
    total: int = store.sandbox.shop.catalogue.total_images
    return total


@pytest.mark.parametrize("command", ["migrate", "sync"])
def test_a_cut_picture_is_uploaded_and_named_once(store: Rehearsal, command: str) -> None:
    """On standard error, and in the notes of --json; the run is done."""
    path = manifest(store, {"a.jpg": CUT_JPEG, "b.png": SOUND["PNG"]})
    result = store.run(command, path)
    assert (result.code, stored(store)) == (0, 2)
    assert (result.out + result.err).count(SAID) == 1
    assert '"a.jpg"' in result.err
    assert "b.png" not in result.err
    again = store.run(command, path, "--json")
    assert [note for note in again.record["notes"] if "a.jpg" in note and SAID in note]
    assert again.record["failures"] == []
    assert "a.jpg" in again.err


@pytest.mark.parametrize("dry_run", [["plan"], ["sync", "-n"], ["verify"]], ids=" ".join)
def test_commands_that_only_look_name_a_cut_picture_too(store: Rehearsal, dry_run: list[str]) -> None:
    """Before anything is sent; -q keeps to what failed."""
    path = manifest(store, {"a.jpg": CUT_JPEG})
    command, *flags = dry_run
    result = store.run(command, path, *flags)
    assert (result.out + result.err).count(SAID) == 1
    assert [SAID in note for note in store.run(command, path, *flags, "--json").record["notes"]] == [True]
    assert (SAID in store.run(command, path, *flags, "-q").err) == (command == "verify")  # which found a difference


def test_apply_names_what_it_uploads(store: Rehearsal) -> None:
    """A picture that was cut off after the plan was made is named as well."""
    path = manifest(store, {"a.jpg": SOUND["JPEG"], "b.jpg": SOUND["JPEG"]})
    assert SAID not in store.run("plan", path).err
    (store.folder / "a.jpg").write_bytes(CUT_JPEG)
    result = store.run("apply", store.folder / "m.jsonl.plan")
    assert (result.code, stored(store)) == (0, 2)
    assert (result.out + result.err).count(SAID) == 1
    assert '"a.jpg"' in result.err


def test_many_cut_pictures_are_counted_and_the_first_named(store: Rehearsal) -> None:
    """One sentence, however many products name them, and in whichever order."""
    path = manifest(store, {f"{n}.jpg": CUT_JPEG for n in range(1, 9)})
    lines = path.read_text().splitlines()
    path.write_text("\n".join(reversed(lines)) + "\n")
    (note,) = store.run("plan", path, "--json").record["notes"]
    assert note.startswith("8 local images are truncated: ")
    assert note.count(".jpg") == 5
    assert " and 3 more. " in note


def test_a_store_that_refuses_a_cut_picture_fails_that_image_alone(store: Rehearsal) -> None:
    """The store's word, the picture's name and the warning; the other image is made."""
    store.sandbox.config.cut_pictures = "refused"
    path = manifest(store, {"a.jpg": CUT_JPEG, "b.jpg": SOUND["JPEG"]})
    result = store.run("migrate", path, "--json")
    assert (result.code, stored(store)) == (1, 1)
    assert [each["image_file"] for each in result.record["failures"]] == ["a.jpg"]
    assert SAID in result.err


ODD = [
    "PNG with a text that unpacks to 2 MB",
    "PNG with a profile that unpacks to 2 MB",
    "BMP of 2 bits",
    "BMP of 16 bits with masks",
    "BMP of 32 bits, 10-10-10",
    "BMP, OS/2 2",
    "XBM with a dash in its name",
    "XBM of shorts",
    "XBM, height before width",
]


def test_sound_pictures_that_decoders_dislike_stop_nothing(store: Rehearsal) -> None:
    """They are uploaded, looked at in the store, and found as asked, without a word."""
    path = manifest(store, {f"{n}.bin": SOUND[name] for n, name in enumerate(ODD)})
    result = store.run("migrate", path)
    assert (result.code, stored(store)) == (0, len(ODD)), result.err
    assert "truncated" not in result.err
    assert store.run("verify", path).code == 0
    backup = store.folder / "kept"
    path.write_text("".join(f'{{"product_id": {n}, "images": []}}\n' for n in range(1, len(ODD) + 1)))
    emptied = store.run("sync", path, "--backup", backup, "--max-deletes", "100%")
    assert (emptied.code, stored(store)) == (0, 0), emptied.err + emptied.out
