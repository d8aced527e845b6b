"""Lines and rows of a manifest: their values, and the error of each invalid one."""

import csv
import io
import string

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imageferry.core.errors import describe
from imageferry.core.image_files import source_kind
from imageferry.core.manifest.csv_rows import CsvRows
from imageferry.core.manifest.faults import explain
from imageferry.core.manifest.fields import MAX_FAULTS, MAX_LINE, ImageFiles
from imageferry.core.manifest.json_lines import JsonLines
from imageferry.core.model import Wanted, WantedProduct
from imageferry.core.text import quoted

HEADER = "product_id,image_file,description,sort_order,is_thumbnail,version\n"
URL = "https://old.example.com/a.jpg"


def fine(_):
    """Every local picture is good."""


def numbered(text):
    data = text if isinstance(text, bytes) else text.encode()
    return list(enumerate(io.BytesIO(data), 1))


def read(form, text, look=fine):
    """The faults and the products of a whole input."""
    faults = []
    products = [sight[0] for sight in form(faults, look).check(numbered(text))]
    return faults, products


def product(*images, product_id=7):
    return orjson.dumps({"product_id": product_id, "images": list(images)}).decode()


def image(**fields):
    return {"image_file": URL, **fields}


GOOD = product(image(), product_id=1) + "\n"

LINES = {
    "not JSON": ("{nope}\n", None, "not JSON"),
    "not an object": ("[1, 2]\n", None, "not an array"),
    "a bare string": ('"hello"\n', None, 'not "hello"'),
    "null for a line": ("null\n", None, "not null"),
    "not UTF-8": (b'{"product_id": 7, "images": [{"image_file": "\xff"}]}\n', None, "byte 0xff at column 46"),
    "lone surrogate": ('{"product_id": 7, "images": [{"image_file": "\\ud800"}]}\n', None, "surrogate"),
    "NUL bytes": ("\0\0\0\n", None, "not JSON"),
    "brackets without end": ("[" * 200_000 + "\n", None, "not JSON"),
    "torn": ('{"product_id": 7, "ima', None, "ends in the middle"),
    "unknown field of a product": ('{"product_id": 7, "images": [], "colour": 1}\n', "colour", "unknown field"),
    "unknown field of an image": (product(image(colour=1)), "images[0].colour", "unknown field"),
    "product_id missing": ('{"images": []}\n', "product_id", "missing"),
    "product_id null": ('{"product_id": null, "images": []}\n', "product_id", "not null"),
    "product_id a string": (product(product_id="7"), "product_id", 'not "7"'),
    "product_id a boolean": (product(product_id=True), "product_id", "not true"),
    "product_id a float": (product(product_id=7.0), "product_id", "not 7.0"),
    "product_id zero": (product(product_id=0), "product_id", "positive integer, not 0"),
    "product_id enormous": (
        f'{{"product_id": {"9" * 40}, "images": []}}\n',
        "product_id",
        "positive integer, not 1e+40",
    ),
    "a number beyond numbers": (f'{{"product_id": {"9" * 4000}, "images": []}}\n', None, "not JSON"),
    "images missing": ('{"product_id": 7}\n', "images", "missing"),
    "images null": ('{"product_id": 7, "images": null}\n', "images", "not null"),
    "images an object": ('{"product_id": 7, "images": {}}\n', "images", "not an object"),
    "an image that is null": ('{"product_id": 7, "images": [null]}\n', "images[0]", "not null"),
    "an image that is a string": (product(URL), "images[0]", "must be an object"),
    "too many images": (product(*({"image_file": f"https://a.b/{n}"} for n in range(1001))), "images", "1,001"),
    "images twice": (
        f'{{"product_id": 7, "images": [{{"image_file": "{URL}"}}], "images": []}}\n',
        "images",
        "twice",
    ),
    "image_file missing": (product({"description": "Front"}), "images[0].image_file", "missing"),
    "image_file null": (product(image(image_file=None)), "images[0].image_file", "null"),
    "image_file a number": (product(image(image_file=5)), "images[0].image_file", "not 5"),
    "image_file empty": (product(image(image_file="")), "images[0].image_file", "empty"),
    "image_file with a control": (product(image(image_file=URL + "\n")), "images[0].image_file", "control"),
    "image_file with DEL": (product(image(image_file=URL + "\x7f")), "images[0].image_file", "control"),
    "image_file with a C1 control": (product(image(image_file=URL + "\x85")), "images[0].image_file", "control"),
    "URL too long": (product(image(image_file="https://a.b/".ljust(256, "x"))), "images[0].image_file", "255"),
    "URL without a host": (product(image(image_file="https:///a.jpg")), "images[0].image_file", "host"),
    "URL with a bad port": (product(image(image_file="https://a.b:c/a.jpg")), "images[0].image_file", "host"),
    "URL with a blank host": (product(image(image_file="http://a b/a.jpg")), "images[0].image_file", "host"),
    "URL half of one": (product(image(image_file="https:a.jpg")), "images[0].image_file", "host"),
    "URL of another scheme": (product(image(image_file="ftp://a.b/a.jpg")), "images[0].image_file", "http"),
    "import without a name": (product(image(image_file="import:")), "images[0].image_file", "name"),
    "import from above": (product(image(image_file="import:../a.jpg")), "images[0].image_file", ".."),
    "import too long": (product(image(image_file="import:" + "x" * 256)), "images[0].image_file", "255"),
    "path absolute": (product(image(image_file="/etc/passwd")), "images[0].image_file", "relative"),
    "path of another system": (product(image(image_file="C:\\a.jpg")), "images[0].image_file", "relative"),
    "path from above": (product(image(image_file="a/../../b.jpg")), "images[0].image_file", ".."),
    "path that is bad": (product(image(image_file="bad.jpg")), "images[0].image_file", "so it is bad"),
    "description null": (product(image(description=None)), "images[0].description", "leave the field out"),
    "description a number": (product(image(description=5)), "images[0].description", "must be a string, not 5"),
    "sort_order null": (product(image(sort_order=None)), "images[0].sort_order", "leave the field out"),
    "sort_order a boolean": (product(image(sort_order=True)), "images[0].sort_order", "not true"),
    "sort_order a float": (product(image(sort_order=1.0)), "images[0].sort_order", "not 1.0"),
    "sort_order a string": (product(image(sort_order="1")), "images[0].sort_order", 'not "1"'),
    "sort_order too high": (product(image(sort_order=2**31)), "images[0].sort_order", "not 2147483648"),
    "sort_order too low": (product(image(sort_order=-(2**31) - 1)), "images[0].sort_order", "not -2147483649"),
    "is_thumbnail null": (product(image(is_thumbnail=None)), "images[0].is_thumbnail", "leave the field out"),
    "is_thumbnail a number": (product(image(is_thumbnail=1)), "images[0].is_thumbnail", "not 1"),
    "version null": (product(image(version=None)), "images[0].version", "leave the field out"),
    "version a number": (product(image(version=3)), "images[0].version", "must be a string, not 3"),
    "the same image_file twice": (
        product(image(), {"image_file": "https://a.b/c"}, image()),
        "images[2].image_file",
        "the same as that of images[0]",
    ),
    "two thumbnails": (
        product(image(is_thumbnail=True), {"image_file": "https://a.b/c", "is_thumbnail": True}),
        "images[1].is_thumbnail",
        "images[0] is the product's thumbnail already",
    ),
}

ROWS = {
    "product_id missing": (f",{URL}\n", "product_id", "missing"),
    "product_id a word": (f"seven,{URL}\n", "product_id", 'not "seven"'),
    "product_id zero": (f"0,{URL}\n", "product_id", "positive integer, not 0"),
    "product_id a float": (f"7.0,{URL}\n", "product_id", 'not "7.0"'),
    "product_id in other digits": (f"\u0667,{URL}\n", "product_id", "positive integer"),
    "product_id enormous": (f"{'9' * 9000},{URL}\n", "product_id", "positive integer"),
    "image_file missing": ("7,,Front\n", "image_file", "missing"),
    "image_file with a control": ("7,https://a.b/\x01.jpg\n", "image_file", "control"),
    "URL too long": (f"7,{'https://a.b/'.ljust(256, 'x')}\n", "image_file", "255"),
    "URL without a host": ("7,https:///a.jpg\n", "image_file", "host"),
    "URL of another scheme": ("7,ftp://a.b/c.jpg\n", "image_file", "http"),
    "path absolute": ("7,/etc/passwd\n", "image_file", "relative"),
    "path from above": ("7,../b.jpg\n", "image_file", ".."),
    "path that is bad": ("7,bad.jpg\n", "image_file", "so it is bad"),
    "sort_order a word": (f"7,{URL},,first\n", "sort_order", 'not "first"'),
    "sort_order too high": (f"7,{URL},,2147483648\n", "sort_order", "not 2147483648"),
    "is_thumbnail a word": (f"7,{URL},,,yes\n", "is_thumbnail", 'not "yes"'),
    "too many cells": (f"7,{URL},,,,,more\n", None, "7 cells, the header 6"),
    "not UTF-8": (b"7,https://a.b/c.jpg,\xff\n", None, "byte 0xff at column 21"),
    "broken quoting": (f'7,{URL},"Fr"ont\n', None, "not CSV"),
    "quote without end": (f'7,{URL},"Front\n', None, "not CSV"),
    "a cell too long": (f'7,{URL},"{"x" * 200_000}"\n', None, "not CSV"),
    "torn": ("7,https://a.b/c.j", None, "ends in the middle"),
    "torn after the product": ("7", None, "ends in the middle"),
    "the same image_file twice": ("1,https://old.example.com/a.jpg\n", "image_file", "on line 2 already"),
    "two thumbnails": ("1,https://a.b/c.jpg,,,1\n", "is_thumbnail", "on line 2 already"),
    "a bare row among others": ("1\n", "product_id", "its only row"),
}


def bad_jpg(image_file):
    """The one local picture that isn't good."""
    return "so it is bad" if image_file == "bad.jpg" else None


@pytest.mark.parametrize(("line", "field", "reason"), LINES.values(), ids=LINES.keys())
def test_a_fault_in_json_names_line_and_field(line, field, reason):
    """Each fault of the contract is found, once, on its line and in its field."""
    ending = b"" if line == LINES["torn"][0] else b"\n"
    data = line if isinstance(line, bytes) else line.encode()
    faults, products = read(JsonLines, GOOD.encode() + data.rstrip(b"\n") + ending, bad_jpg)
    assert [(fault.line, fault.field) for fault in faults] == [(2, field)]
    assert reason in faults[0].reason
    assert products == [1]


@pytest.mark.parametrize(("row", "field", "reason"), ROWS.values(), ids=ROWS.keys())
def test_a_fault_in_csv_names_line_and_column(row, field, reason):
    """Each fault of the contract is found, once, on its row's line and in its column."""
    data = row if isinstance(row, bytes) else row.encode()
    faults, _ = read(CsvRows, f"{HEADER}1,{URL},,0,true\n".encode() + data, bad_jpg)
    assert [(fault.line, fault.field) for fault in faults] == [(3, field)]
    assert reason in faults[0].reason


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("product_id;image_file", "product_id;image_file"),
        ("product_id,image_file,colour", "colour"),
        ("product_id,image_file,product_id", "product_id"),
        ("product_id,description", "image_file"),
        ("image_file,description", "product_id"),
    ],
    ids=["semicolons", "unknown column", "column twice", "no image_file", "no product_id"],
)
def test_a_header_must_be_one(header, field):
    """A header with an unknown, doubled or missing column is a fault of its line, and no row is read under it."""
    faults, products = read(CsvRows, f"\n{header}\n1,{URL}\n")
    assert (2, field) in [(fault.line, fault.field) for fault in faults]
    assert products == []


def test_a_table_of_too_many_images_is_one_fault():
    """The row after the thousandth image is the fault, and those after it are not counted again."""
    rows = "".join(f"7,https://a.b/{n}\n" for n in range(1_200))
    faults, _ = read(CsvRows, HEADER + rows)
    assert [(fault.line, fault.field) for fault in faults] == [(1_002, "product_id")]


def test_all_faults_of_a_line_are_reported():
    """One line may have many faults, and each carries product and image_file."""
    faults, _ = read(JsonLines, product(image(sort_order="x", is_thumbnail=1), image(version=2)))
    assert [fault.field for fault in faults] == [
        "images[0].sort_order",
        "images[0].is_thumbnail",
        "images[1].version",
        "images[1].image_file",
    ]
    assert {(fault.product_id, fault.image_file) for fault in faults} == {(7, URL)}


@pytest.mark.parametrize(
    ("form", "text"),
    [(JsonLines, "nope\n" * 1_000), (CsvRows, HEADER + "x,y\n" * 1_000), (JsonLines, product(*[None] * 900))],
    ids=["lines", "rows", "one line"],
)
def test_reading_ends_at_a_hundred_faults(form, text):
    """A thousand faults cost no more than a hundred do, give or take those of the last line."""
    assert MAX_FAULTS <= len(read(form, text)[0]) <= MAX_FAULTS + 2


@pytest.mark.parametrize("name", ["a\x1b[2Jb" * 50, "x" * 100_000, "\u202e" * 100], ids=["escapes", "long", "turned"])
def test_a_fault_repeats_little_of_its_input_and_nothing_raw(name):
    """A fault shows at most 80 characters of input, escaped where they don't print, in reason and field alike."""
    (fault, *_), _ = read(JsonLines, product(image(sort_order=name, **{name: 1})))
    line = describe("m.jsonl", fault)
    assert line.isprintable()
    assert len(line) < 80 + 110
    assert len(quoted(name)) <= 80


@pytest.mark.parametrize(
    ("image_file", "where"),
    [
        ("https://a.b/c d%20e.jpg", "url"),
        ("HTTP://A.B/c", "url"),
        ("http://[::1]:8080/c", "url"),
        ("https://u:p@a.b/?x=/../", "url"),
        ("import:sub/a.jpg", "import"),
        ("pictures/a..b.jpg", "file"),
        ("Bär \u2013 front.png", "file"),
        ("a:b.jpg", "file"),
    ],
)
def test_an_image_file_is_taken_as_it_is(image_file, where):
    """URLs, imports and paths are told apart, and not a character of them is changed."""
    text = product(image(image_file=image_file))
    assert source_kind(image_file) == where
    assert read(JsonLines, text) == ([], [7])
    (read_back,) = JsonLines([], fine).products(numbered(text))
    assert read_back.images[0].image_file == image_file


def test_a_field_that_is_left_out_is_not_managed():
    """A field that a line or row leaves out is None."""
    lines = numbered(product(image(), {"image_file": "https://a.b/c", "version": "", "sort_order": -3}))
    expected = [Wanted(URL, line=1), Wanted("https://a.b/c", None, -3, None, "", 1)]
    assert list(JsonLines([], fine).products(lines)) == [WantedProduct(7, expected, 1)]
    rows = numbered(f"image_file,sort_order,product_id\n{URL},,7\nhttps://a.b/c,-3,7\n\n,,9\n")
    assert list(CsvRows([], fine).products(rows)) == [
        WantedProduct(7, [Wanted(URL, line=2), Wanted("https://a.b/c", None, -3, line=3)], 2),
        WantedProduct(9, [], 5),
    ]


@pytest.mark.parametrize("bare", ["9", "9,,,,,", "9,,", ' 9 ,"",'])
def test_a_row_with_nothing_but_a_product_id_wants_no_images(bare):
    """It empties the gallery, however many of its empty cells are written."""
    faults = []
    products = list(CsvRows(faults, fine).products(numbered(f"{HEADER}{bare}\n")))
    assert faults == []
    assert products == [WantedProduct(9, [], 2)]


def test_booleans_of_a_table():
    """True, false, 1 and 0 are booleans, in the case that a spreadsheet writes them in."""
    cells = ["true", "false", "1", "0", "FALSE"]
    rows = "".join(f"{n},{URL},,,{cell}\n" for n, cell in enumerate(cells, 1))
    products = CsvRows([], fine).products(numbered(HEADER + rows))
    assert [each.images[0].is_thumbnail for each in products] == [True, False, True, False, False]


def test_a_spreadsheet_may_leave_empty_cells_behind():
    """Trailing empty columns, rows of commas and CRLF mean nothing."""
    faults, products = read(CsvRows, f"product_id,image_file,,\r\n1,{URL},,\r\n,,,\r\n\r\n2,{URL},,\r\n")
    assert (faults, products) == ([], [1, 2])


def test_a_row_may_span_lines():
    """A quoted cell holds line ends, and the row's line is its first."""
    (first, second) = CsvRows([], fine).products(numbered(f'{HEADER}1,{URL},"a\n""b"""\n2,{URL}\n'))
    assert (first.images[0].description, first.line, second.line) == ('a\n"b"', 2, 4)


def test_a_row_without_end_is_given_up():
    """Rows that go on for ever by quoted line ends are cut at the longest line that is read, and reading goes on after it."""
    endless = '7,"\n' + '","\n' * (MAX_LINE // 4) + "seven,x\n"
    faults, _ = read(CsvRows, HEADER + endless)
    assert (faults[0].line, faults[0].field) == (2, None)
    assert "bytes" in faults[0].reason
    assert faults[-1].field == "product_id"


names = st.one_of(st.sampled_from([URL, "a.jpg", "import:x", "", "http://", "../x"]), st.text(max_size=8))
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), names)
keys = st.one_of(st.sampled_from(["image_file", "description", "sort_order", "is_thumbnail", "version"]), st.just("x"))
nearly = st.fixed_dictionaries(
    {"image_file": names},
    optional={
        "description": names,
        "sort_order": st.one_of(st.integers(-(2**32), 2**32), scalars),
        "is_thumbnail": st.one_of(st.booleans(), scalars),
        "version": st.one_of(names, scalars),
        "x": scalars,
    },
)
images = st.lists(st.one_of(nearly, nearly, st.dictionaries(keys, scalars), scalars), max_size=4)
values = st.fixed_dictionaries(
    {"product_id": st.one_of(st.integers(1, 9), scalars), "images": st.one_of(images, scalars)}
)


@given(values)
@settings(max_examples=400, deadline=None)
def test_the_quick_look_and_the_thorough_one_agree(value):
    """A line is taken exactly where nothing can be said against it."""
    line = orjson.dumps(value) + b"\n"
    faults, products = read(JsonLines, line)
    assert bool(products) == (not faults) == (not explain(line, 1, ImageFiles(fine)))
    assert all(fault.reason != "is not understood" for fault in faults)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
urls = st.text(string.ascii_letters + " %é/", max_size=9).map("https://a.b/".__add__)
wanted = st.builds(
    Wanted,
    urls,
    st.none() | texts,
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.just(False),
    st.none() | texts,
)
galleries = st.lists(wanted, max_size=4, unique_by=lambda each: each.image_file)
catalogues = st.dictionaries(st.integers(1, 2**63 - 1), galleries, min_size=1, max_size=6)


def as_json(catalogue):
    for product_id, gallery in catalogue.items():
        fields = [{name: getattr(each, name) for name in Wanted.__slots__ if name != "line"} for each in gallery]
        given = [{name: value for name, value in each.items() if value is not None} for each in fields]
        yield orjson.dumps({"product_id": product_id, "images": given}).decode() + "\n"


def as_csv(catalogue):
    out = io.StringIO()
    writer = csv.writer(out)
    for product_id, gallery in catalogue.items():
        for each in gallery or [None]:
            cells = each and [each.image_file, each.description, each.sort_order, each.is_thumbnail, each.version]
            writer.writerow([product_id, *(cells or [])])
    return out.getvalue()


def content(products):
    """Products without their lines."""
    return {
        each.product_id: [
            (one.image_file, one.description, one.sort_order, one.is_thumbnail, one.version) for one in each.images
        ]
        for each in products
    }


@given(catalogues)
@settings(max_examples=150, deadline=None)
def test_a_good_manifest_says_the_same_in_both_forms(catalogue):
    """Written as JSON Lines or as CSV, read at once or by way of sorted records: the products are those that were meant."""
    meant = content(WantedProduct(product_id, gallery) for product_id, gallery in catalogue.items())
    for form, text in ((JsonLines, "".join(as_json(catalogue))), (CsvRows, HEADER + as_csv(catalogue))):
        faults = []
        assert content(form(faults, fine).products(numbered(text))) == meant
        assert content(form(faults, fine).from_records(sorted(form(faults, fine).to_records(numbered(text))))) == meant
        assert faults == []
