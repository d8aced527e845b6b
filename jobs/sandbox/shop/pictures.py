"""Pictures as bytes: of which type they are, smaller renditions of them, and made-up ones. Pure but for its appetite."""

from __future__ import annotations

import warnings
from hashlib import sha256
from io import BytesIO

from PIL import Image, ImageDraw

from .picture_kind import extension

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
_NAMES = {"bmp": "BMP", "gif": "GIF", "jpg": "JPEG", "png": "PNG", "webp": "WEBP", "xbm": "XBM"}


def kind(data: bytes) -> str | None:
    """Return the extension that these bytes call for; None where the store takes no such thing."""
    return extension(data)


def rendition(data: bytes, width: int, height: int) -> tuple[bytes, str]:
    """Return a picture that fits into this size, and its extension.

    One that fits already, or that Pillow can't read, is returned as it is: nothing is ever enlarged.
    """
    name = kind(data)
    if name is None or name == "wbmp":
        return data, name or ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # large pictures and odd metadata are the sender's affair
        try:
            return _fitted(data, name, width, height)
        except Exception:  # noqa: BLE001  # a decoder at work on what anybody may have sent: a rare depth, a part, pixels without end
            return data, name


def _fitted(data: bytes, name: str, width: int, height: int) -> tuple[bytes, str]:
    with Image.open(BytesIO(data), formats=[_NAMES[name]]) as opened:
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
