"""Local pictures: which may be uploaded, and what is said of the others."""

import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imageferry.core.errors import RefusedError
from imageferry.core.image_files import source_kind
from imageferry.disk.local_images import MAX_BYTES, is_picture, path_to_upload, why_not_uploadable

XBM = b"#define a_width 8\n#define a_height 1\nstatic char a_bits[] = {0x00};\n"
HOT_XBM = b"/* by\n hand */\n" + XBM.replace(b"static", b"#define a_x_hot 1\n#define a_y_hot 1\nstatic unsigned")
WBMP = b"\0\0\x09\x02" + b"\xff" * 4
WIDE_WBMP = b"\0\0\x81\x00\x01" + b"\xff" * 16


def huge_png():
    """A picture of 10 thousand million pixels, in 45 bytes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND\xaeB`\x82"
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + end


@pytest.fixture
def files(tmp_path):
    """A folder of pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (3, 2)).save(folder / "a.png")
    return folder


@pytest.mark.parametrize("name", ["BMP", "GIF", "JPEG", "PNG", "WEBP"])
def test_a_picture_is_known_by_its_bytes(files, name):
    """Each kind that the store takes passes, whatever the file is called."""
    Image.new("RGB", (3, 2)).save(files / "really.txt", name)
    assert why_not_uploadable(files, "really.txt") is None
    assert is_picture((files / "really.txt").read_bytes())


@pytest.mark.parametrize(
    "data", [XBM, HOT_XBM, WBMP, WIDE_WBMP, huge_png()], ids=["xbm", "hot xbm", "wbmp", "wide wbmp", "huge png"]
)
def test_rare_and_large_pictures_pass(files, data):
    """XBM and WBMP are told without an extension; a picture of many pixels is no warning and no fault."""
    (files / "rare").write_bytes(data)
    assert why_not_uploadable(files, "rare") is None


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\0\x18ftypavif",
        b"\0\0\x09\x02\xff",
        b"\0\0\x81\x81",
        b"\0\0" + b"\x81" * 90,
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x04\0\0\0WAVEfmt ",
        b"GIF89a",
        b"II*\0\x08\0\0\0",
        b"%PDF-1.7",
        b"\0",
    ],
    ids=[
        "text",
        "svg",
        "avif",
        "short wbmp",
        "cut wbmp",
        "long wbmp",
        "cut png",
        "wav",
        "cut gif",
        "tiff",
        "pdf",
        "nul",
    ],
)
def test_what_is_no_picture_is_a_fault(files, data):
    """A name that promises a picture doesn't make one."""
    (files / "a.jpg").write_bytes(data)
    assert not is_picture(data)
    assert why_not_uploadable(files, "a.jpg") == (
        '"a.jpg" is not a picture: its bytes are no BMP, GIF, JPEG, PNG, WBMP, XBM or WEBP'
    )


@pytest.mark.parametrize(
    ("image_file", "reason"),
    [
        ("missing.png", 'there is no "missing.png" in "'),
        ("a.png/b.png", 'there is no "a.png/b.png" in "'),
        ("../outside.png", "must not leave the folder"),
        ("sub/../a.png", "must not leave the folder"),
        ("/a.png", "not absolute"),
        ("sub", '"sub" is a folder'),
        (".", '"." is a folder'),
        ("empty.png", '"empty.png" is empty'),
        ("big.png", '"big.png" has 8,388,609 bytes; a picture may have 8,388,608 (8 MB)'),
        ("pipe.png", '"pipe.png" is not a regular file'),
        ("link.png", '"link.png" is a link that leads outside "'),
        ("linked/outside.png", '"linked/outside.png" is a link that leads outside "'),
        ("loop.png", '"loop.png" can\'t be read: '),
        ("x" * 5_000, "can't be read: "),
        ("a/" * 200_000, "can't be read: "),
        ("a\0.png", "control characters"),
        ("\ud800.png", "can't be the name of a file here"),
    ],
)
def test_a_path_that_leads_to_no_picture_is_a_fault(files, image_file, reason):
    """The fault names the path and what is wrong with it."""
    outside = files.parent / "outside.png"
    outside.write_bytes((files / "a.png").read_bytes())
    (files / "sub").mkdir()
    (files / "empty.png").touch()
    (files / "big.png").write_bytes((files / "a.png").read_bytes())
    os.truncate(files / "big.png", MAX_BYTES + 1)
    os.mkfifo(files / "pipe.png")
    (files / "link.png").symlink_to(outside)
    (files / "linked").symlink_to(files.parent)
    (files / "loop.png").symlink_to("loop.png")
    found = why_not_uploadable(files, image_file)
    assert found is not None
    assert reason in found
    with pytest.raises(RefusedError) as refused:
        path_to_upload(files, image_file)
    assert refused.value.reason == found


def test_eight_megabytes_are_allowed(files):
    """The limit itself is within."""
    os.truncate(files / "a.png", MAX_BYTES)
    assert why_not_uploadable(files, "a.png") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_picture_that_may_not_be_read_is_a_fault(files):
    """It is said that permission is missing."""
    (files / "a.png").chmod(0)
    assert "Permission denied" in (why_not_uploadable(files, "a.png") or "")


def test_a_link_inside_the_folder_is_followed(files, monkeypatch):
    """Links within the folder are fine, a folder that is a link itself and a relative one too."""
    (files / "b.png").symlink_to("a.png")
    (files.parent / "shop").symlink_to(files)
    assert why_not_uploadable(files.parent / "shop", "b.png") is None
    assert path_to_upload(files.parent / "shop", "b.png") == (files / "a.png").resolve()
    monkeypatch.chdir(files)
    assert why_not_uploadable(Path(), "b.png") is None


def test_a_picture_that_changed_since_is_refused(files):
    """Right before the upload the picture is looked at once more."""
    assert path_to_upload(files, "a.png") == (files / "a.png").resolve()
    (files / "a.png").unlink()
    with pytest.raises(RefusedError, match="there is no"):
        path_to_upload(files, "a.png")


def test_kinds():
    """Where an image comes from is told by its text."""
    assert [source_kind(each) for each in ("https://a.b/c", "import:c", "c.jpg")] == ["url", "import", "file"]


heads = st.sampled_from(
    [b"", b"BM", b"GIF89a", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBPVP8 ", b"\0\0", XBM]
)


@given(heads, st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_the_look_fail(head, rest):
    """Whatever the bytes are, the answer is a reason or none."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a").write_bytes(head + rest)
        why_not_uploadable(Path(folder), "a")


def test_the_engine_needs_no_pillow():
    """Local pictures are told by an own look at their bytes: where Pillow is missing, they are checked all the same."""
    code = (
        "import sys; sys.modules['PIL'] = None; from pathlib import Path; from imageferry.disk.local_images import why_not_uploadable;"
        "Path(sys.argv[1], 'a.gif').write_bytes(b'GIF89a' + bytes(7) + b';');"
        "sys.exit(why_not_uploadable(Path(sys.argv[1]), 'a.gif'))"
    )
    with tempfile.TemporaryDirectory() as folder:
        assert subprocess.run([sys.executable, "-c", code, folder], check=False).returncode == 0
