"""Check that an image file with a valid header is complete. Pure.

The whole file is read only if its end is ambiguous. If in doubt the file counts as complete: a warning must be true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .header import Read

_STEPS = 65_536
"""Maximum number of chunks that are read, whatever the file claims."""
_BLOCK = 65_536
_TAIL = 2_048
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_PLAIN = frozenset({0, 3, 6})  # BMP compressions with uncompressed pixels; 3 and 6 have masks
_WINDOWS = frozenset({40, 52, 56, 108, 124})


def little(data: bytes, at: int, length: int) -> int:
    """Return a little-endian integer; bytes behind the end count as 0."""
    return int.from_bytes(data[at : at + length], "little")


def is_complete_jpeg(read: Read, size: int, at: int) -> bool:
    """Return True if an end marker follows the frame header.

    A second image or other data may come after it. The thumbnail in the metadata lies before that header. In pixel data
    0xFF is never followed by 0xD9.
    """
    if read(max(at, size - 2), 2) == b"\xff\xd9":
        return True
    last = b""
    for place in range(at, size, _BLOCK):
        block = read(place, _BLOCK)
        if b"\xff\xd9" in last + block:
            return True
        last = block[-1:]
    return False


def is_complete_png(read: Read, size: int) -> bool:
    """Return True if the last chunk is there.

    Other data may come after it.
    """
    if read(max(0, size - len(_IEND)), len(_IEND)) == _IEND:
        return True
    at = 8
    for _ in range(_STEPS):
        piece = read(at, 8)
        at += 12 + int.from_bytes(piece[:4], "big")
        if len(piece) < 8 or at > size:
            return False
        if piece[4:] == b"IEND":
            return True
    return True


def is_complete_gif(read: Read, size: int) -> bool:
    """Return True if the trailer is there, or no block where one should be.

    Decoders end there, too. If the file does not end with a block terminator and the trailer, its blocks of at most
    255 bytes are walked in memory.
    """
    if read(size - 2, 2) == b"\0;":
        return True
    data = read(0, size)
    at = 13 + _colours(data[10:11])
    while at < len(data) and data[at] in b"!,":
        at += 2 if data[at] == ord("!") else 11 + _colours(data[at + 9 : at + 10])
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return at < len(data)


def _colours(flags: bytes) -> int:
    """Return the length in bytes of the colour table that these flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def is_complete_webp(head: bytes, size: int) -> bool:
    """Return True if the file is as long as it and its first chunk say."""
    return size >= max(8 + little(head, 4, 4), 20 + little(head, 16, 4))


@dataclass(slots=True, frozen=True)
class Bitmap:
    """The header of a BMP.

    `claims` has the file sizes that it states.
    """

    header: int
    width: int
    height: int
    depth: int
    compression: int
    start: int
    claims: tuple[int, ...]


def bmp(head: bytes) -> Bitmap | None:
    """Return the header of a BMP.

    None if it ends before its dimensions.
    """
    length = little(head, 14, 4)
    if len(head) < (26 if length == 12 else 30):
        return None
    start = max(little(head, 10, 4), 14 + length)
    if length == 12:
        width, height, depth = little(head, 18, 2), little(head, 20, 2), little(head, 24, 2)
        return Bitmap(length, width, height, depth, 0, start, ())
    width, height = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22))
    compression = little(head, 30, 4) if length >= 20 else 0
    data = little(head, 34, 4) if length >= 24 else 0
    claims = [claim for claim in (little(head, 2, 4), data and start + data) if claim > start]
    return Bitmap(length, width, abs(height), little(head, 28, 2), compression, start, tuple(claims))


def is_complete_bmp(head: bytes, size: int) -> bool:
    """Return True if the pixels fit in the file.

    The size of plain pixels is computed; for packed ones the smallest size in the header counts. The last row needs no
    padding.
    """
    about = bmp(head)
    if about is None:
        return False
    if about.compression in (_PLAIN if about.header in _WINDOWS else {0}):
        row = (about.width * about.depth + 31) // 32 * 4
        return size >= about.start + row * (about.height - 1) + (about.width * about.depth + 7) // 8
    return not about.claims or size >= min(about.claims)


def is_complete_xbm(read: Read, size: int, start: int) -> bool:
    """Return True if the closing brace of the numbers is there."""
    at = max(start, size - _TAIL)
    return b"}" in read(at, _TAIL)
