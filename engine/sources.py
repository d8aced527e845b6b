"""Local pictures: whether one may be uploaded, and where it lies. Reads files, at most their beginnings; opens no connection.

A picture is known by its bytes, never by its name (store-api.md 1.8 has the kinds and the size that a store takes).
"""

from __future__ import annotations

import io
import os
import re
import stat
import threading
import warnings
from pathlib import Path
from typing import BinaryIO

from .core.errors import RefusedError
from .core.manifest_fields import image_file_fault, kind, quoted

__all__ = ["MAX_BYTES", "is_picture", "kind", "preflight", "resolve"]

MAX_BYTES = 8 * 1024 * 1024
_KINDS = "BMP, GIF, JPEG, PNG, WBMP, XBM or WEBP"
_PARSED = ("BMP", "GIF", "JPEG", "PNG")  # by Pillow; it would read a WEBP whole, is strict on XBM and doesn't know WBMP
_WEBP_CHUNKS = (b"VP8 ", b"VP8L", b"VP8X")
_HEAD = 2_048  # bytes; enough for the three kinds that are told here, an XBM's comment included
_COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)
_XBM = re.compile(rb"\s*#define\s+\w*width\s+\d+\s+#define\s+\w*height\s+\d+\s[^{]*\bchar\s+\w*bits\s*\[")

_pillow = threading.Lock()  # warnings are muted for the whole process while Pillow looks


def preflight(files: Path, image_file: str) -> str | None:
    """Say why the picture at this path below `files` can't be uploaded; None if it can."""
    reason = image_file_fault(image_file)
    if reason is not None:
        return reason
    path, shown = files / image_file, quoted(image_file)
    try:
        about = path.stat()  # first: to follow the links of a long path that leads nowhere would take for ever
        if not _real(path).is_relative_to(_real(files)):
            return f"{shown} is a link that leads outside {quoted(str(files))}"
        return _fault(path, about, shown)
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no {shown} in {quoted(str(files))}"
    except OSError as error:
        return f"{shown} can't be read: {error.strerror or 'an I/O error'}"
    except ValueError:
        return f"{shown} can't be the name of a file here"


def resolve(files: Path, image_file: str) -> Path:
    """Return the picture's real path, looked at once more: to be asked right before uploading.

    Raises RefusedError, which fails that image alone, if it can't be uploaded any more.
    """
    reason = preflight(files, image_file)
    if reason is not None:
        raise RefusedError(reason)
    return _real(files / image_file)


def is_picture(data: bytes) -> bool:
    """Tell by the bytes whether this is a picture of a kind that the store takes."""
    return _is_picture(io.BytesIO(data), len(data))


def _real(path: Path) -> Path:
    # Path.resolve raises RuntimeError for a loop of links on some versions; this leaves it to the opening.
    return Path(os.path.realpath(path))


def _fault(path: Path, about: os.stat_result, shown: str) -> str | None:
    size = about.st_size
    if stat.S_ISDIR(about.st_mode):
        return f"{shown} is a folder"
    if not stat.S_ISREG(about.st_mode):
        return f"{shown} is not a regular file"
    if size == 0:
        return f"{shown} is empty"
    if size > MAX_BYTES:
        return f"{shown} has {size:,} bytes; a picture may have {MAX_BYTES:,} (8 MB)"
    with path.open("rb") as file:
        return None if _is_picture(file, size) else f"{shown} is not a picture: its bytes are no {_KINDS}"


def _is_picture(file: BinaryIO, size: int) -> bool:
    head = file.read(_HEAD)
    if head[:4] == b"RIFF":
        return head[8:12] == b"WEBP" and head[12:16] in _WEBP_CHUNKS
    file.seek(0)
    return _is_wbmp(head, size) or _XBM.match(_COMMENT.sub(b" ", head)) is not None or _is_parsed(file)


def _is_wbmp(head: bytes, size: int) -> bool:
    """Type 0, no extension headers, then width and height in groups of seven bits, then a bit a pixel, rows padded to bytes.

    Two zero bytes are a weak sign, so the size must come out to the byte.
    """
    if head[:2] != b"\0\0":
        return False
    numbers, at = [0, 0], 2
    for place in range(2):
        while True:
            if at >= min(len(head), 10):
                return False
            byte = head[at]
            at += 1
            numbers[place] = numbers[place] << 7 | byte & 0x7F
            if byte < 0x80:
                break
    width, height = numbers
    return width > 0 and height > 0 and size == at + (width + 7) // 8 * height


def _is_parsed(file: BinaryIO) -> bool:
    """Whether Pillow makes sense of the header."""
    from PIL import Image  # noqa: PLC0415  # a manifest of URLs needs no Pillow, and it takes long to import

    with _pillow, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Image.open(file, formats=_PARSED).close()
        except Image.DecompressionBombError:
            return True  # a large picture is still one; only its header was read
        except Exception:  # noqa: BLE001  # a parser at work on bytes that may be anything: whatever it stumbles over isn't a picture
            return False
    return True
