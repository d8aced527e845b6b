"""Detection of an image's kind by its signature and header.

Pure; reads only the bytes it needs.

The file's name decides nothing. No decoder is used: decoders reject valid images with a large comment, colour profile or
rare depth, and an image that the store accepts must not be refused here. The kinds are those of store-api.md 1.8. A
valid header with a missing end is a truncated image (`end`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

from . import end

__all__ = ["HEAD", "DetectedImage", "Read", "identify", "identify_bytes"]

Read = Callable[[int, int], bytes]
"""`read(offset, length)` returns bytes of the file; fewer only at its end."""

HEAD = 4_096
"""Number of bytes at the beginning that are read first."""
_STEPS = 65_536
"""Maximum number of segments that are skipped, whatever the file claims."""

_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_BMP_DEPTHS = frozenset({1, 2, 4, 8, 16, 24, 32, 64})
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # two tables and a reserved marker
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)
_SIZE = rb"\s*#[ \t]*define\s+\S*%s\s+0*[1-9]\d*\s"
_WIDTH, _HEIGHT = _SIZE % b"width", _SIZE % b"height"
_XBM = re.compile(
    rb"(?:%s%s|%s%s)[^{]*?\b(?:char|short)\s+\S*?bits\s*\[" % (_WIDTH, _HEIGHT, _HEIGHT, _WIDTH)  # X10 has shorts
)


@dataclass(slots=True, frozen=True)
class DetectedImage:
    """An image of a kind that the store accepts.

    `truncated` is true if the file is truncated.
    """

    kind: str
    truncated: bool


def identify(read: Read, size: int) -> DetectedImage | None:
    """Return the image in a file of this size.

    None if it is no kind that the store accepts.
    """
    head = read(0, HEAD)
    if head.startswith(b"\xff\xd8\xff"):
        at = _jpeg(read)
        return DetectedImage("JPEG", not end.is_complete_jpeg(read, size, at)) if at else None
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return DetectedImage("PNG", not end.is_complete_png(read, size)) if _png(head) else None
    if head.startswith((b"GIF87a", b"GIF89a")):
        return DetectedImage("GIF", not end.is_complete_gif(read, size)) if len(head) >= 13 else None
    if head.startswith(b"RIFF"):
        return DetectedImage("WEBP", not end.is_complete_webp(head, size)) if _webp(head) else None
    if head.startswith(b"BM"):
        return DetectedImage("BMP", not end.is_complete_bmp(head, size)) if _bmp(head) else None
    if head.startswith(b"\0\0"):
        return DetectedImage("WBMP", truncated=False) if _wbmp(head, size) else None
    start = _xbm(head)
    return DetectedImage("XBM", not end.is_complete_xbm(read, size, start)) if start else None


def identify_bytes(data: bytes) -> DetectedImage | None:
    """Return the image in `data`; see `identify`."""
    return identify(lambda at, length: data[at : at + length], len(data))


def _jpeg(read: Read) -> int:
    """Return the end of the frame header, 0 without one that gives a size.

    Segments before it are skipped.
    """
    at = 2
    for _ in range(_STEPS):
        piece = read(at, 10)
        if len(piece) < 4 or piece[0] != 0xFF:
            return 0
        marker, length = piece[1], int.from_bytes(piece[2:4], "big")
        if marker == 0xFF:  # fill bytes before a marker
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _JPEG_FRAMES:
            height, width = int.from_bytes(piece[5:7], "big"), int.from_bytes(piece[7:9], "big")
            sound = len(piece) == 10 and height and width and 1 <= piece[9] <= 4 and length == 8 + 3 * piece[9]
            return at + 2 + length if sound else 0
        elif marker in {0x00, 0xD8, 0xD9, 0xDA} or length < 2:
            return 0
        else:
            at += 2 + length
    return 0


def _png(head: bytes) -> bool:
    if head[8:16] != b"\0\0\0\rIHDR" or len(head) < 33 or crc32(head[12:29]) != int.from_bytes(head[29:33], "big"):
        return False
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    depth, colour, packing, filtering, lacing = head[24:29]
    sound = depth in _PNG_DEPTHS.get(colour, ()) and packing == filtering == 0 and lacing <= 1
    return sound and 0 < width < 1 << 31 and 0 < height < 1 << 31


def _webp(head: bytes) -> bool:
    if head[8:12] != b"WEBP" or len(head) < 25:
        return False
    match head[12:16]:
        case b"VP8X":
            return len(head) >= 30
        case b"VP8L":
            return head[20] == 0x2F
        case b"VP8 ":
            width, height = end.little(head, 26, 2), end.little(head, 28, 2)
            return len(head) >= 30 and head[23:26] == b"\x9d\x01\x2a" and width & 0x3FFF > 0 and height & 0x3FFF > 0
    return False


def _bmp(head: bytes) -> bool:
    """Check the length and the pixel format of a BMP header.

    Lengths: 12 bytes (OS/2 1), 16 to 64 (OS/2 2; Windows 40, 52, 56), 108 or 124.
    """
    about = end.bmp(head)
    if about is None:
        return False
    known = about.header in {12, 108, 124} or 16 <= about.header <= 64
    deep = about.depth in _BMP_DEPTHS or (about.depth == 0 and about.compression in {4, 5})  # an embedded JPEG or PNG
    return known and deep and about.width > 0 and about.height > 0


def _wbmp(head: bytes, size: int) -> bool:
    """Check type 0, no extension headers, width and height in groups of seven bits.

    Then follows one bit per pixel, rows padded to bytes. Two zero bytes are a weak signature, so the size must match to the
    byte; a truncated file cannot be recognised.
    """
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


def _xbm(head: bytes) -> int:
    """Return the earliest place of the numbers, 0 if this is no XBM. Comments are ignored."""
    if not head.lstrip().startswith((b"#", b"/*")) or not _XBM.match(_COMMENT.sub(b" ", head)):
        return 0
    return head.rfind(b"define")
