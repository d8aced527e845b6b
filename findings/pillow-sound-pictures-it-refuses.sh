#!/usr/bin/env bash
# Expected: Pillow opens every sound PNG and BMP, so that "Pillow cannot open it" means "not a picture".
# Seen with Pillow 13.0.0: a PNG whose compressed text unpacks to over 1 MB (histories of editors, prompts of image generators) and a
# BMP with 16 bits a pixel and masks of its own are refused with an error. A check of pictures before an upload needs a rule of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/env/bin/python" - <<'PY'
import struct
import zlib
from importlib.metadata import version
from io import BytesIO

from PIL import Image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(text: int) -> bytes:
    """A grey 2 x 2 PNG with a compressed text of so many bytes."""
    rows = zlib.compress(b"\0\x80\x80" * 2)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0))
    note = chunk(b"zTXt", b"history\0\0" + zlib.compress(b"a" * text))
    return b"\x89PNG\r\n\x1a\n" + header + note + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bmp(masks: tuple[int, int, int]) -> bytes:
    """A 2 x 2 BMP with 16 bits a pixel and these colour masks."""
    pixels = struct.pack("<4H", *[0x7FFF] * 4)
    info = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, len(pixels), 2835, 2835, 0, 0) + struct.pack("<3I", *masks)
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(pixels), 0, 0, 14 + len(info)) + info + pixels


def verdict(data: bytes) -> str:
    try:
        Image.open(BytesIO(data)).load()
    except (OSError, ValueError) as error:
        return f"refused ({type(error).__name__})"
    return "opened"


told = {
    "PNG with a text of 1 kB": verdict(png(1000)),
    "PNG with a text of 2 MB": verdict(png(2_000_000)),
    "BMP, 16 bits, masks 5-6-5": verdict(bmp((0xF800, 0x07E0, 0x001F))),
    "BMP, 16 bits, masks 4-4-4": verdict(bmp((0x0F00, 0x00F0, 0x000F))),
}
print(f"Pillow {version('pillow')}")
for name, word in told.items():
    print(f"{name}: {word}")
assert [word.split()[0] for word in told.values()] == ["opened", "refused", "opened", "refused"], "Pillow judges otherwise now"
PY
