"""Pictures as bytes: of which type they are, smaller renditions of them, and made-up ones. Pure but for its appetite."""

from __future__ import annotations

import re
import warnings
from hashlib import sha256
from io import BytesIO

from PIL import Image, ImageDraw, UnidentifiedImageError

LARGEST = 8 * 1024 * 1024  # bytes of one picture (store-api.md 1.8)
MEDIA_TYPES = {
    "bmp": "image/bmp",
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "png": "image/png",
    "wbmp": "image/vnd.wap.wbmp",
    "webp": "image/webp",
    "xbm": "image/x-xbitmap",
}
_MAGIC = ((b"GIF8", "gif"), (b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"BM", "bmp"))
_NAMES = {"bmp": "BMP", "gif": "GIF", "jpg": "JPEG", "png": "PNG", "webp": "WEBP", "xbm": "XBM"}
_XBM = re.compile(rb"\s*(/\*.*?\*/\s*)?#define[ \t]+\S*width", re.DOTALL)


def kind(data: bytes) -> str | None:
    """Return the extension that these bytes call for; None where the store takes no such thing or they can't be read."""
    found = _by_magic(data)
    if found is None or found == "wbmp":
        return found
    return found if _opens(data, found) else None


def _by_magic(data: bytes) -> str | None:
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if _XBM.match(data[:1024]):
        return "xbm"
    return "wbmp" if _is_wbmp(data) else None


def _opens(data: bytes, name: str) -> bool:
    try:
        _open(data, name).close()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return False
    return True


def _open(data: bytes, name: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large pictures and odd metadata are the sender's affair
        return Image.open(BytesIO(data), formats=[_NAMES[name]])


def _is_wbmp(data: bytes) -> bool:
    """Two zero bytes, width and height in seven-bit groups, then exactly one bit a pixel in rows of whole bytes."""
    if not data.startswith(b"\0\0"):
        return False
    width, at = _seven_bits(data, 2)
    height, at = _seven_bits(data, at)
    return width > 0 and height > 0 and len(data) - at == (width + 7) // 8 * height


def _seven_bits(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(at, min(at + 5, len(data))):
        value = value << 7 | data[n] & 0x7F
        if not data[n] & 0x80:
            return value, n + 1
    return 0, at


def rendition(data: bytes, width: int, height: int) -> tuple[bytes, str]:
    """Return a picture that fits into this size, and its extension.

    One that fits already, or that can't be read, is returned as it is: nothing is ever enlarged.
    """
    name = kind(data)
    if name is None or name == "wbmp":
        return data, name or ""
    with _open(data, name) as opened:
        if opened.width <= width and opened.height <= height:
            return data, name
        return _shrunk(opened, name, width, height)


def _shrunk(opened: Image.Image, name: str, width: int, height: int) -> tuple[bytes, str]:
    target = "png" if name == "xbm" else name
    if opened.mode.startswith(("I", "F")):
        small = opened.convert("L")  # more than eight bits a channel can't be scaled
    elif target == "jpg" and opened.mode != "L":
        small = opened.convert("RGB")
    else:
        small = opened.convert("RGBA") if opened.mode == "P" and target == "png" else opened
    out = BytesIO()
    small.thumbnail((width, height))
    small.save(out, _NAMES[target])
    return out.getvalue(), target


def made_up(text: str) -> bytes:
    """Return a small JPEG that shows its text on a colour of its own: the same for the same text."""
    digest = sha256(text.encode()).digest()
    tone = tuple(96 + each % 128 for each in digest[:3])
    drawn = Image.new("RGB", (640, 480), (tone[0], tone[1], tone[2]))
    pen = ImageDraw.Draw(drawn)
    for n in range(6):
        x, y, size = (each * 2 for each in digest[3 + n * 3 : 6 + n * 3])
        pen.ellipse((x, y, x + size, y + size), outline=(255, 255, 255), width=4)
    pen.text((24, 440), text, fill=(0, 0, 0))
    out = BytesIO()
    drawn.save(out, "JPEG", quality=80)
    return out.getvalue()
