"""One rule for local pictures in the engine and in the sandbox, which share no code: both come to the same verdict on every file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imageferry.core.image_format.header import identify, identify_bytes
from imageferry.disk.local_images import MAX_BYTES, inspect, path_to_upload
from imageferry.jobs.sandbox.shop.picture_kind import is_cut
from imageferry.jobs.sandbox.shop.pictures import kind

from ...picture_corpus import CUT, SOUND, VERDICTS, saved

EXTENSIONS = {"BMP": "bmp", "GIF": "gif", "JPEG": "jpg", "PNG": "png", "WBMP": "wbmp", "WEBP": "webp", "XBM": "xbm"}


def of_engine(path: Path) -> str:
    found = inspect(path.parent, path.name)
    return "refused" if found.fault else "cut" if found.cut else "sound"


def of_sandbox(data: bytes) -> str:
    return "refused" if kind(data) is None else "cut" if is_cut(data) else "sound"


@pytest.mark.parametrize(("data", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_engine_and_sandbox_come_to_the_same_verdict(tmp_path, data, verdict):
    """Sound, truncated or no picture, whatever the file is called; and of the same kind."""
    path = tmp_path / "photo.txt"
    path.write_bytes(data)
    assert (of_engine(path), of_sandbox(data)) == (verdict, verdict)
    picture = identify_bytes(data)
    assert kind(data) == (EXTENSIONS[picture.kind] if picture else None)


@pytest.mark.parametrize(("name", "data"), SOUND.items(), ids=SOUND)
def test_a_file_that_is_called_after_a_kind_is_of_that_kind(name, data):
    """The corpus itself says what each is."""
    assert kind(data) == EXTENSIONS[name.replace(",", "").split()[0]]


BASES = st.sampled_from([data for data, _ in VERDICTS.values()])


@given(BASES, st.integers(0, 400_000), st.integers(0, 400), st.binary(max_size=3))
@settings(max_examples=300, deadline=None)
def test_engine_and_sandbox_agree_on_damaged_files_too(data, end, place, other):
    """Cut anywhere, some bytes near the beginning replaced: what one takes for a picture, whole or truncated, the other does."""
    damaged = data[:place] + other + data[place + len(other) :]
    damaged = damaged[: end % (len(damaged) + 1)]
    picture = identify_bytes(damaged)
    verdict = "refused" if picture is None else "cut" if picture.truncated else "sound"
    assert of_sandbox(damaged) == verdict
    assert kind(damaged) == (EXTENSIONS[picture.kind] if picture else None)


def test_a_cut_picture_may_be_uploaded(tmp_path):
    """It is a warning: right before the upload it is no fault either."""
    (tmp_path / "a.jpg").write_bytes(CUT["JPEG, without its last ten bytes"])
    assert path_to_upload(tmp_path, "a.jpg") == (tmp_path / "a.jpg").resolve()


HOSTILE = {
    "a JPEG of empty segments": b"\xff\xd8" + b"\xff\xe0\0\2" * (MAX_BYTES // 4),
    "a JPEG of fill bytes": b"\xff\xd8" + b"\xff" * MAX_BYTES,
    "a JPEG without an end": SOUND["JPEG"][:-2] + bytes(MAX_BYTES),
    "a PNG of empty chunks": SOUND["PNG"][:33] + b"\0\0\0\0abcd\0\0\0\0" * (MAX_BYTES // 12),
    "a GIF of tiny blocks": SOUND["GIF"][:-2] + b"\1\1" * (MAX_BYTES // 2),
    "an XBM of comments": b"#define" + b"/*" * (MAX_BYTES // 2),
    "a WBMP of endless size": b"\0\0" + b"\x81" * MAX_BYTES,
}


class Counted:
    """A file in memory that counts the bytes that are asked for."""

    def __init__(self, data):
        self.data = data
        self.asked = 0

    def __call__(self, at, length):
        piece = self.data[at : at + length]
        self.asked += len(piece)
        return piece


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_costs_no_more_than_its_size(data):
    """However it is made, about as many bytes are looked at as it has."""
    read = Counted(data[:MAX_BYTES])
    identify(read, MAX_BYTES)
    assert read.asked <= 2 * MAX_BYTES
    assert of_sandbox(data[:MAX_BYTES]) in {"cut", "refused"}


LARGE = Image.effect_noise((900, 900), 60).convert("RGB")
USUAL = {
    **{form: saved(form, LARGE) for form in ("JPEG", "PNG", "GIF", "WEBP", "BMP")},
    "JPEG with a profile of 320 kB": SOUND["JPEG with a profile of 320 kB"],
}


@pytest.mark.parametrize("data", USUAL.values(), ids=USUAL)
def test_a_usual_picture_is_not_read_whole(data):
    """Its beginning, its end, and the heads of what lies between tell enough."""
    assert len(data) > 100_000
    read = Counted(data)
    assert identify(read, len(data)) is not None
    assert read.asked < 5_000
