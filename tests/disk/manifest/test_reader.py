"""A manifest from file to products: forms, order, selection, faults, and what lies on disk meanwhile."""

import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imageferry.core.errors import DiskError, ManifestError
from imageferry.core.manifest.selection import Selection
from imageferry.disk.manifest.reader import check_manifest

HEADER = "product_id,image_file,sort_order\n"


def lines(*ids, per=2):
    """A line of JSON for each product."""
    return [
        orjson.dumps(
            {
                "product_id": n,
                "images": [{"image_file": f"https://a.b/{n}/{at}", "sort_order": at} for at in range(per)],
            }
        )
        + b"\n"
        for n in ids
    ]


def rows(*ids, per=2):
    """A row of CSV for each image."""
    return [f"{n},https://a.b/{n}/{at},{at}\n".encode() for n in ids for at in range(per)]


def shape(manifest):
    """What is read, in the order in which it is."""
    return [(each.product_id, [(one.image_file, one.sort_order) for one in each.images]) for each in manifest.read()]


def meant(*ids, per=2):
    return [(n, [(f"https://a.b/{n}/{at}", at) for at in range(per)]) for n in sorted(ids)]


@pytest.fixture
def folder(tmp_path):
    """Where the checkpoint would be."""
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def looked_at(folder):
    """Check a manifest of these bytes."""

    def look(data, name="m.jsonl", **rest):
        path = folder / name
        path.write_bytes(data)
        rest = {"files": None, "spool": folder / "run" / "cp", **rest}
        return check_manifest(path, **rest)

    return look


def left(folder):
    return sorted(path.name for path in (folder / "run").iterdir())


FORMS = {
    "lines": ("m.jsonl", b"".join(lines(1, 2, 30))),
    "lines by their bytes": ("manifest", b"".join(lines(1, 2, 30))),
    "lines out of order": ("m.ndjson", b"".join(lines(30, 1, 2))),
    "rows": ("m.csv", HEADER.encode() + b"".join(rows(1, 2, 30))),
    "rows by their bytes": ("m.txt", HEADER.encode() + b"".join(rows(1, 2, 30))),
    "rows apart": ("m.CSV", HEADER.encode() + b"".join(rows(30, 1, 2)[::2] + rows(30, 1, 2)[1::2])),
}


@pytest.mark.parametrize("wrap", [bytes, gzip.compress, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n  \n\n"], ids=["bare", "BOM", "blank"])
@pytest.mark.parametrize(("name", "data"), FORMS.values(), ids=FORMS.keys())
def test_every_form_reads_the_same(folder, looked_at, name, data, before, wrap):
    """JSON Lines and CSV, gzip in one member or two, BOM and blank lines, from a file or a pipe: the same products in order."""
    raw = wrap(before + data)
    with looked_at(raw, name if wrap is bytes else f"{name}.gz") as manifest:
        assert shape(manifest) == meant(1, 2, 30)
        assert shape(manifest) == meant(1, 2, 30)
        assert (manifest.products, manifest.images, manifest.uploads) == (3, 6, 0)
        assert manifest.digest == hashlib.sha256(raw).hexdigest()
        assert manifest.path == str(folder / (name if wrap is bytes else f"{name}.gz"))
        assert left(folder) == []
    with check_manifest("-", files=None, spool=folder / "run" / "cp", stdin=io.BytesIO(raw)) as manifest:
        assert shape(manifest) == meant(1, 2, 30)
        assert (manifest.digest, manifest.path, manifest.name) == (hashlib.sha256(raw).hexdigest(), "-", "<stdin>")
        assert left(folder) == ["cp.manifest.input"]
        assert (folder / "run" / "cp.manifest.input").stat().st_mode & 0o777 == 0o600
    assert left(folder) == []


def test_lines_are_known_after_sorting(looked_at):
    """A product knows the line on which it begins, an image its own, in any order."""
    with looked_at(b"".join(lines(9, 4)), "m.jsonl") as manifest:
        assert [(each.line, [one.line for one in each.images]) for each in manifest.read()] == [
            (2, [2, 2]),
            (1, [1, 1]),
        ]
    with looked_at(HEADER.encode() + b"".join(rows(9, 4)), "m.csv") as manifest:
        assert [(each.line, [one.line for one in each.images]) for each in manifest.read()] == [
            (4, [4, 5]),
            (2, [2, 3]),
        ]


def test_readings_may_overlap(looked_at):
    """Two readings at once don't disturb each other, sorted on disk or not."""
    for ids in ((1, 2, 3), (3, 1, 2)):
        with looked_at(b"".join(lines(*ids))) as manifest:
            pairs = zip(manifest.read(), manifest.read(), strict=True)
            assert [(one.product_id, other.product_id) for one, other in pairs] == [(1, 1), (2, 2), (3, 3)]


def test_a_named_pipe_is_read_once(folder):
    """What isn't a regular file is copied first, like standard input."""
    pipe = folder / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(HEADER.encode() + b"".join(rows(2, 1)),))
    writer.start()
    with check_manifest(pipe, files=None, spool=folder / "run" / "cp") as manifest:
        assert shape(manifest) == meant(1, 2)
        assert manifest.path == str(pipe)
    writer.join()
    assert left(folder) == []


SELECTIONS = {
    "only": (Selection(only=frozenset({30, 2})), {2, 30}),
    "limit": (Selection(limit=2), None),
    "limit of more": (Selection(limit=50), {1, 2, 4, 30}),
    "limit of all": (Selection(limit=4), {1, 2, 4, 30}),
    "limit of none": (Selection(limit=0), set()),
    "only, then limit": (Selection(frozenset({30, 2, 4}), 1), None),
}


@pytest.mark.parametrize("ids", [(1, 2, 4, 30), (30, 4, 1, 2)], ids=["in order", "out of order"])
@pytest.mark.parametrize(("name", "write"), [("m.jsonl", lines), ("m.csv", rows)], ids=["lines", "rows"])
@pytest.mark.parametrize(("selection", "taken"), SELECTIONS.values(), ids=SELECTIONS.keys())
def test_a_part_is_taken_for_a_trial(looked_at, selection, taken, ids, name, write):
    """`--only` and `--limit` count and read the same products: the first ones as the manifest has them."""
    if taken is None:
        taken = [n for n in ids if selection.only is None or n in selection.only][: selection.limit]
    raw = (HEADER.encode() if write is rows else b"") + b"".join(write(*ids))
    with looked_at(raw, name, selection=selection) as manifest:
        assert shape(manifest) == meant(*taken)
        assert (manifest.products, manifest.images) == (len(taken), 2 * len(taken))
        assert manifest.digest == hashlib.sha256(raw).hexdigest()


def test_rows_far_apart_count_from_the_first(looked_at):
    """With `--limit` a product stands where its first row stands, and all its rows are taken."""
    raw = HEADER.encode() + b"".join(rows(3)[:1] + rows(1, 2) + rows(3)[1:])
    with looked_at(raw, "m.csv", selection=Selection(limit=2)) as manifest:
        assert shape(manifest) == meant(1, 3)


def test_only_must_be_in_the_manifest(looked_at):
    """Each product that `--only` asks for in vain is a fault that names it."""
    with pytest.raises(ManifestError) as refused:
        looked_at(b"".join(lines(1, 2)), selection=Selection(only=frozenset({5, 2, 7})))
    assert [(fault.line, fault.product_id) for fault in refused.value.faults] == [(None, 5), (None, 7)]
    assert "--only: product 5 is not" in str(refused.value)


BAD = {
    "twice in order": ("m.jsonl", lines(1, 2, 2, 2, 3), [(3, "product_id"), (4, "product_id")]),
    "twice out of order": ("m.jsonl", lines(2, 3, 1, 3, 2), [(4, "product_id"), (5, "product_id")]),
    "nothing": ("m.jsonl", [], [(None, None)]),
    "blank": ("manifest", [b"\n \n"], [(None, None)]),
    "header only": ("m.csv", [HEADER.encode()], [(None, None)]),
    "image twice out of order": ("m.csv", [HEADER.encode(), *rows(2, 1), *rows(2)[:1]], [(6, "image_file")]),
    "bare row apart": ("m.csv", [HEADER.encode(), *rows(2, 1), b"2\n"], [(6, "product_id")]),
    "first line too long": ("m.jsonl", [b"x" * 2**23, b"\n", *lines(1), b"nope\n"], [(1, None), (3, None)]),
    "last line too long": ("m.jsonl", [*lines(1), b"x" * 2**23], [(2, None)]),
    "torn": ("m.jsonl", [*lines(1), lines(2)[0][:-9]], [(2, None)]),
    "cut gzip": ("m.jsonl.gz", [gzip.compress(b"".join(lines(1)))[:-9]], [(2, None)]),
    "cut header of gzip": ("m.jsonl.gz", [b"\x1f\x8b\x08"], [(1, None)]),
    "gzip with a wrong sum": ("m.csv.gz", [gzip.compress(HEADER.encode())[:-8] + b"12345678"], [(2, None)]),
    "gzip and more": ("m.jsonl.gz", [gzip.compress(b"".join(lines(1))), b"more"], [(2, None)]),
    "two hundred": ("m.jsonl", [b"nope\n"] * 200, [(n, None) for n in range(1, 101)]),
    "two hundred apart": (
        "m.jsonl",
        [*lines(2, 1), *[b"{}\n"] * 200],
        [(n, field) for n in range(3, 53) for field in ("product_id", "images")],
    ),
    "some of each": ("m.jsonl", [*lines(2, 1), b"nope\n", *lines(2)], [(3, None), (4, "product_id")]),
}


@pytest.mark.parametrize(("name", "parts", "places"), BAD.values(), ids=BAD.keys())
def test_faults_of_the_whole_are_found(folder, looked_at, name, parts, places):
    """Twins, emptiness, an input that ends early: each with its line, in order, a hundred at most, and nothing stays on disk."""
    with pytest.raises(ManifestError) as refused:
        looked_at(b"".join(parts), name)
    assert [(fault.line, fault.field) for fault in refused.value.faults] == places
    assert str(refused.value).startswith(str(folder / name))
    assert left(folder) == []
    with pytest.raises(ManifestError) as refused:
        check_manifest("-", files=None, spool=folder / "run" / "cp", stdin=io.BytesIO(b"".join(parts)))
    assert str(refused.value).startswith("<stdin>")
    assert left(folder) == []


def test_a_name_that_promises_gzip_is_held_to_it(looked_at):
    """What is named `.gz` and isn't is a fault, though the bytes would do."""
    with pytest.raises(ManifestError, match=r"m\.jsonl\.gz:1: the gzip data is damaged"):
        looked_at(b"".join(lines(1)), "m.jsonl.gz")


def test_both_lines_of_a_twin_are_named(looked_at):
    """A product twice out of order names the line that it is on already."""
    with pytest.raises(ManifestError, match=r"m\.jsonl:4: product_id: product 2 is on line 1 already"):
        looked_at(b"".join(lines(2, 3, 1, 2)))


@pytest.mark.parametrize("name", ["missing.jsonl", "run", "a/b.jsonl", "m.jsonl/more"])
def test_a_manifest_that_cannot_be_opened_is_a_fault_without_a_line(folder, looked_at, name):
    """A missing one, a folder, a path through a file: said, not thrown."""
    looked_at(b"".join(lines(1))).close()
    with pytest.raises(ManifestError) as refused:
        check_manifest(folder / name, files=None, spool=folder / "run" / "cp")
    assert [(fault.line, fault.field) for fault in refused.value.faults] == [(None, None)]
    assert "can't be read" in refused.value.faults[0].reason


def test_a_closed_standard_input_is_a_fault(folder, monkeypatch):
    """A process that was started without one says so."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ManifestError, match="standard input is closed"):
        check_manifest("-", files=None, spool=folder / "run" / "cp")


def test_standard_input_is_the_process_own(folder, monkeypatch):
    """Where none is handed in, the process's own is read."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"".join(lines(1)))))
    with check_manifest("-", files=None, spool=folder / "run" / "cp") as manifest:
        assert shape(manifest) == meant(1)


def test_a_spool_that_cannot_be_written_is_a_disk_error(folder):
    """The disk is to be mended, not the manifest, and the folder is named."""
    with pytest.raises(DiskError, match="nowhere"):
        check_manifest("-", files=None, spool=folder / "nowhere" / "cp", stdin=io.BytesIO(b"".join(lines(1))))


def test_what_a_killed_run_left_goes(folder, looked_at):
    """Sorted files of a process that was killed are removed by the next one."""
    (folder / "run" / "cp.manifest.sorted.3").touch()
    (folder / "run" / "cp.manifest.input").touch()
    (folder / "run" / "cp.journal").touch()
    looked_at(b"".join(lines(1))).close()
    assert left(folder) == ["cp.journal"]


CHANGES = {
    "another": b"".join(lines(1, 2, 4)),
    "shorter": b"".join(lines(1, 2)),
    "not JSON": b"nope\n",
    "another shape": b'{"images": 5}\n',
    "a number": b"5\n",
    "not text": b"\xff" * 9,
    "empty": b"",
}


@pytest.mark.parametrize("after", CHANGES.values(), ids=CHANGES.keys())
def test_a_manifest_that_changed_since_is_refused(folder, looked_at, after):
    """Between check and reading the file must stay what it was: its size, or at least its time, tells."""
    with looked_at(b"".join(lines(1, 2, 3))) as manifest:
        before = (folder / "m.jsonl").stat()
        (folder / "m.jsonl").write_bytes(after)
        os.utime(folder / "m.jsonl", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        with pytest.raises(ManifestError, match="changed while it was in use"):
            list(manifest.read())


@pytest.mark.parametrize("after", [CHANGES[name] for name in CHANGES if name != "another"])
@pytest.mark.parametrize("name", ["m.jsonl", "m.csv"])
def test_a_change_that_leaves_no_trace_but_damage_is_refused(folder, looked_at, name, after):
    """With size and time the same as before, what is no manifest any more is still told from one, in place of a traceback."""
    raw = b"".join(lines(1, 2, 3)) if name == "m.jsonl" else HEADER.encode() + b"".join(rows(1, 2, 3))
    with looked_at(raw, name) as manifest:
        before = (folder / name).stat()
        (folder / name).write_bytes(after.ljust(len(raw), b"\0"))
        os.utime(folder / name, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(ManifestError, match="changed while it was in use"):
            list(manifest.read())


def test_a_manifest_that_changes_while_it_is_read_is_refused(folder, looked_at):
    """A line that is added during the reading is noticed at its end."""
    with looked_at(b"".join(lines(1, 2, 3))) as manifest:
        reading = manifest.read()
        next(reading)
        with (folder / "m.jsonl").open("ab") as file:
            file.writelines(lines(4))
        with pytest.raises(ManifestError, match="changed while it was in use"):
            list(reading)


def test_a_sorted_copy_outlives_the_manifest(folder, looked_at):
    """What was sorted on disk is read from there, whatever becomes of the file."""
    with looked_at(b"".join(lines(2, 1))) as manifest:
        (folder / "m.jsonl").unlink()
        assert shape(manifest) == meant(1, 2)


PICTURES = (
    b'{"product_id": 5, "images": [{"image_file": "sub/a.png"}, {"image_file": "b.png"}, {"image_file": "import:c"}]}\n'
)


@pytest.mark.parametrize("order", [PICTURES + lines(7)[0], lines(7)[0] + PICTURES], ids=["in order", "out of order"])
def test_local_pictures_are_looked_at(folder, looked_at, order, monkeypatch):
    """Relative to the manifest, to `--files`, or with `-` to the working folder; each that isn't there is a fault of its field."""
    Image.new("RGB", (1, 1)).save(folder / "b.png")
    with pytest.raises(ManifestError) as refused:
        looked_at(order)
    (fault,) = refused.value.faults
    place = order.splitlines(keepends=True).index(PICTURES) + 1
    assert (fault.line, fault.field, fault.product_id, fault.image_file) == (
        place,
        "images[0].image_file",
        5,
        "sub/a.png",
    )
    assert 'there is no "sub/a.png"' in fault.reason
    pictures = folder / "pictures"
    (pictures / "sub").mkdir(parents=True)
    for name in ("b.png", "sub/a.png"):
        Image.new("RGB", (1, 1)).save(pictures / name)
    with looked_at(order, files=pictures) as manifest:
        assert (manifest.uploads, manifest.images) == (2, 5)
    with looked_at(order, files=pictures, selection=Selection(only=frozenset({7}))) as manifest:
        assert manifest.uploads == 0
    monkeypatch.chdir(pictures)
    with check_manifest("-", files=None, spool=folder / "run" / "cp", stdin=io.BytesIO(order)) as manifest:
        assert manifest.uploads == 2


def test_a_local_picture_in_a_table_is_a_fault_of_its_row(looked_at):
    """The fault is in the column, on the row's line."""
    with pytest.raises(ManifestError, match=r"m\.csv:2: image_file: there is no \"a\.png\""):
        looked_at(b"product_id,image_file\n5,a.png\n6,https://a.b/c\n", "m.csv")


HUNGRY = """
import resource, sys
from pathlib import Path
from imageferry.core.errors import ManifestError
from imageferry.disk.manifest.reader import check_manifest
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 160 * 2**20,) * 2)
try:
    check_manifest(sys.argv[1], files=None, spool=Path(sys.argv[1] + ".cp"))
except ManifestError as error:
    print(len(error.faults), error.faults[0].line, error.faults[0].reason)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to count")
@pytest.mark.parametrize(
    ("name", "piece"),
    [("m.jsonl", b"["), ("m.jsonl", b"[],"), ("m.jsonl", b'"x",'), ("m.csv", b"1,"), ("m.csv", b'"\n",')],
    ids=["brackets", "arrays", "strings", "cells", "lines in a cell"],
)
def test_a_line_of_a_hundred_megabytes_costs_little_memory(folder, name, piece):
    """No line, row or cell, however large, is held whole: 160 MB are enough to refuse 100 MB of it, which read whole cost more."""
    path = folder / name
    block = piece * (2**20 // len(piece))
    with path.open("wb") as file:
        file.write(b"product_id,image_file\n" if name == "m.csv" else b'{"product_id": 1, "images": [')
        for _ in range(8 if b"\n" in piece else 100):
            file.write(block)
    done = subprocess.run([sys.executable, "-c", HUNGRY, path], capture_output=True, text=True, check=False)
    path.unlink()
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout.split()[0]) >= 1


catalogues = st.lists(st.integers(1, 50), unique=True, min_size=1, max_size=8)


@given(catalogues, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_makes_no_difference(ids, chance):
    """Shuffled or not, as lines or as rows, the same products come out."""
    shuffled = rows(*ids)
    chance.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        for name, raw in (("m.jsonl", b"".join(lines(*ids))), ("m.csv", HEADER.encode() + b"".join(shuffled))):
            path = Path(folder, name)
            path.write_bytes(raw)
            with check_manifest(path, files=None, spool=Path(folder, "cp")) as manifest:
                assert [(n, sorted(gallery)) for n, gallery in shape(manifest)] == meant(*ids)


GOOD = {
    "lines": (
        "m.jsonl",
        b"".join(lines(1, 2, 3)) + PICTURES.replace(b"sub/", b"import:").replace(b"b.png", b"import:b"),
    ),
    "rows": ("m.csv", HEADER.encode() + b"".join(rows(1, 3, 2)) + b'4,"import:a ""b""",7\n9\n'),
}
edits = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.integers(0, 3),
        st.binary(max_size=3)
        | st.sampled_from([b'"', b"\n", b",", b"{", b"]", b"null", b"-", b"\\u", b"\xef\xbb\xbf", b"9" * 30]),
    ),
    min_size=1,
    max_size=4,
)


def edited(data, changes):
    for place, gone, new in changes:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + gone :]
    return data


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", GOOD)
@given(changes=edits, cut=st.none() | st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_a_damaged_manifest_is_refused_or_read(form, packed, changes, cut):
    """Whatever is done to a good manifest, before or after packing, it is read whole or refused with faults, never anything else."""
    name, data = GOOD[form]
    whole = edited(data, changes)[:cut]
    raws = (
        [gzip.compress(whole, 1, mtime=0), edited(gzip.compress(data, 1, mtime=0), changes)[:cut]]
        if packed
        else [whole]
    )
    for raw in raws:
        survives(raw, name)


@given(st.binary(max_size=300) | st.text().map(str.encode))
@settings(max_examples=100, deadline=None)
def test_no_bytes_make_the_check_fail(raw):
    """Any bytes at all, by any name, are read or refused with faults."""
    for name in ("m.jsonl", "m.csv", "m", "m.csv.gz"):
        survives(raw, name)
    survives(b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + raw, "m")


def survives(raw, name):
    """Check and read twice; the counts must be those of the reading, the faults fit to be shown."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(raw)
        faults = []
        try:
            with check_manifest(path, files=None, spool=Path(folder, "cp")) as manifest:
                products = list(manifest.read())
                assert products == list(manifest.read())
                assert manifest.products == len(products) > 0
                assert manifest.images == sum(len(each.images) for each in products)
                assert [each.product_id for each in products] == sorted({each.product_id for each in products})
        except ManifestError as error:
            faults = error.faults
        assert len(faults) <= 100
        assert all(fault.reason.isprintable() and (fault.field or "").isprintable() for fault in faults)
        assert list(Path(folder).iterdir()) == [path]


def test_many_unsorted_products_are_sorted_on_disk(folder, looked_at):
    """What doesn't fit into memory lies in private files while the manifest is open."""
    ids = list(range(1, 9_001))
    random.Random(7).shuffle(ids)
    long = b'", "description": "' + b"x" * 4_000
    raw = b"".join(line.replace(b'/0"', b"/0" + long + b'"') for line in lines(*ids, per=1))
    with looked_at(raw) as manifest:
        assert left(folder) == ["cp.manifest.sorted.0"]
        assert {path.stat().st_mode & 0o777 for path in (folder / "run").iterdir()} == {0o600}
        assert [each.product_id for each in manifest.read()] == sorted(ids)
    assert left(folder) == []
