"""Whether a picture with a sound header is there to its end. Pure; the whole file is asked for only where its end doesn't tell.

What can't be told is taken to be whole: a warning must be true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .header import Read

_STEPS = 65_536
"""Pieces of a file that are looked at at most, whatever the file says of itself."""
_BLOCK = 65_536
_TAIL = 2_048
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_PLAIN = frozenset({0, 3, 6})  # BMP: pixels as they are, the latter two with masks
_WINDOWS = frozenset({40, 52, 56, 108, 124})


def little(data: bytes, at: int, length: int) -> int:
    """A number with its lowest byte first; 0 behind the end."""
    return int.from_bytes(data[at : at + length], "little")


def of_jpeg(read: Read, size: int, at: int) -> bool:
    """The mark of the end follows somewhere after the frame's header: a second picture, or other things, may come after it.

    The thumbnail in the metadata lies before that header. A byte 0xFF among the pixels is never followed by 0xD9.
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


def of_png(read: Read, size: int) -> bool:
    """The last chunk is there; other things may come after it."""
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


def of_gif(read: Read, size: int) -> bool:
    """The trailer is there, or what stands in its place is no block: then decoders end there, too.

    Where the file doesn't end with a block's end and a trailer, its blocks of 255 bytes at most are walked in memory.
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
    """The length of the table of colours that these flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def of_webp(head: bytes, size: int) -> bool:
    """The file has what it says of itself, and what its first chunk says."""
    return size >= max(8 + little(head, 4, 4), 20 + little(head, 16, 4))


@dataclass(slots=True, frozen=True)
class Bitmap:
    """What a BMP's header says; `claims` are what it says of the file's size."""

    header: int
    width: int
    height: int
    depth: int
    compression: int
    start: int
    claims: tuple[int, ...]


def bmp(head: bytes) -> Bitmap | None:
    """Read a BMP's header; None where it is not there to its dimensions."""
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


def of_bmp(head: bytes, size: int) -> bool:
    """Plain pixels are reckoned; of packed ones the smallest that the header says of the file. The last row needs no padding."""
    about = bmp(head)
    if about is None:
        return False
    if about.compression in (_PLAIN if about.header in _WINDOWS else {0}):
        row = (about.width * about.depth + 31) // 32 * 4
        return size >= about.start + row * (about.height - 1) + (about.width * about.depth + 7) // 8
    return not about.claims or size >= min(about.claims)


def of_xbm(read: Read, size: int, start: int) -> bool:
    """The numbers' closing brace is there."""
    at = max(start, size - _TAIL)
    return b"}" in read(at, _TAIL)
