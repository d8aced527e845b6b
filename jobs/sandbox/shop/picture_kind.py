"""Of which type a picture is, and whether it is there to its end: told by its bytes alone, which are all at hand. Pure.

A type is known by a signature and a header that gives sizes; what a decoder makes of the rest is not asked.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: "1 2 4 8 16", 2: "8 16", 3: "1 2 4 8", 4: "8 16", 6: "8 16"}
_DEFINE = re.compile(rb"#[ \t]*define\s+(\S+)\s+(\S+)")
_ARRAY = re.compile(rb"\b(?:char|short)\s+(\S*?)bits\s*\[")


def extension(data: bytes) -> str | None:
    """Return the extension that these bytes call for; None where the store takes no such thing, or its header is unsound."""
    for name, header in _HEADERS.items():
        if header(data):
            return name
    return None


def is_cut(data: bytes) -> bool:
    """Whether this picture of a sound header ends before its end; where that can't be told, it doesn't."""
    name = extension(data)
    return name in _ENDS and not _ENDS[name](data)


def _jpeg(data: bytes) -> bool:
    return _frame(data) > 0


def _frame(data: bytes) -> int:
    """Where a JPEG's frame header ends; 0 where there is none before the pixels."""
    at = 2 if data.startswith(b"\xff\xd8\xff") else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 1 or 0xD0 <= marker <= 0xD7:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in b"\0\xd8\xd9\xda" or length < 2:
            break
        if 0xC0 <= marker <= 0xCF and marker not in b"\xc4\xc8\xcc":
            return at + 2 + length if _sizes(data[at + 4 : at + 10], length) else 0
        at += 2 + length
    return 0


def _sizes(header: bytes, length: int) -> bool:
    if len(header) < 6:
        return False
    _, height, width, channels = struct.unpack(">BHHB", header)
    return bool(height and width and channels in {1, 2, 3, 4} and length == 8 + channels * 3)


def _jpeg_ends(data: bytes) -> bool:
    return data.find(b"\xff\xd9", _frame(data)) >= 0


def _png(data: bytes) -> bool:
    if len(data) < 33 or data[:16] != _PNG + b"\0\0\0\x0dIHDR":
        return False
    width, height, depth, colour, packing, filtering, lacing, check = struct.unpack_from(">IIBBBBBI", data, 16)
    fits = str(depth) in _PNG_CHANNELS.get(colour, "").split() and (packing, filtering) == (0, 0) and lacing in {0, 1}
    return bool(fits and 0 < width < 2**31 and 0 < height < 2**31 and check == crc32(data[12:29]))


def _png_ends(data: bytes) -> bool:
    if data.endswith(b"\0\0\0\0IEND\xaeB`\x82"):
        return True
    at = len(_PNG)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        at += 12 + int(length)
        if name == b"IEND":
            return at <= len(data)
    return False


def _gif(data: bytes) -> bool:
    return data[:6] in {b"GIF87a", b"GIF89a"} and len(data) >= 13


def _gif_ends(data: bytes) -> bool:
    if data.endswith(b"\0;"):
        return True
    at = 13 + _table(data[10])
    while at < len(data) and data[at] in b"!,":
        if data[at] == ord("!"):
            at += 2
        elif at + 10 <= len(data):
            at += 11 + _table(data[at + 9])
        else:
            return False
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return at < len(data)


def _table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(data: bytes) -> bool:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return False
    if data[12:16] == b"VP8L":
        return len(data) >= 25 and data[20] == ord("/")
    if len(data) < 30 or data[12:16] not in {b"VP8 ", b"VP8X"}:
        return False
    width, height = struct.unpack_from("<HH", data, 26)
    return data[15:16] == b"X" or bool(data[23:26] == b"\x9d\x01\x2a" and width % 0x4000 > 0 and height % 0x4000 > 0)


def _webp_ends(data: bytes) -> bool:
    (whole,), (first,) = struct.unpack_from("<I", data, 4), struct.unpack_from("<I", data, 16)
    return len(data) >= 8 + int(whole) and len(data) >= 20 + int(first)


def _bmp_header(data: bytes) -> tuple[int, int, int, int, int]:
    """Return a bitmap's header length, width, height, bits a pixel and compression; zeros where it has none."""
    if data[:2] != b"BM" or len(data) < 26:
        return 0, 0, 0, 0, 0
    (length,) = struct.unpack_from("<I", data, 14)
    if length == 12:
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        return length, width, height, depth, 0
    if len(data) < 30:
        return 0, 0, 0, 0, 0
    width, height, _, depth = struct.unpack_from("<iiHH", data, 18)
    (packing,) = struct.unpack_from("<I", data.ljust(34, b"\0"), 30) if length >= 20 else (0,)
    return length, width, abs(height), depth, packing


def _bmp(data: bytes) -> bool:
    length, width, height, depth, packing = _bmp_header(data)
    known = length in {12, 108, 124} or 16 <= length <= 64
    deep = depth in {1, 2, 4, 8, 16, 24, 32, 64} or (depth == 0 and packing in {4, 5})
    return known and deep and width > 0 and height > 0


def _bmp_ends(data: bytes) -> bool:
    length, width, height, depth, packing = _bmp_header(data)
    whole, _, offset = struct.unpack_from("<III", data, 2)
    begin = max(int(offset), 14 + length)
    windows = length in {40, 52, 56, 108, 124}
    if packing == 0 or (packing in {3, 6} and windows):
        return len(data) >= begin + -(-width * depth // 32) * 4 * (height - 1) + -(-width * depth // 8)
    (pixels,) = struct.unpack_from("<I", data.ljust(38, b"\0"), 34) if length >= 24 else (0,)
    said = [each for each in (int(whole), begin + int(pixels)) if each > begin]
    return not said or len(data) >= min(said)


def _wbmp(data: bytes) -> bool:
    """Two zero bytes, width and height in seven-bit groups, then exactly one bit a pixel in rows of whole bytes."""
    if not data.startswith(b"\0\0"):
        return False
    width, at = _seven_bits(data, 2)
    height, at = _seven_bits(data, at)
    return at <= 10 and width > 0 and height > 0 and len(data) - at == (width + 7) // 8 * height


def _seven_bits(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(at, min(at + 8, len(data))):
        value = value << 7 | data[n] & 0x7F
        if not data[n] & 0x80:
            return value, n + 1
    return 0, len(data)


def _xbm(data: bytes) -> bool:
    """Source text in C: first the two sizes, whichever comes first, then an array of bits. Comments may stand anywhere."""
    text = _without_comments(data[:4096])
    array = _ARRAY.search(text.partition(b"{")[0])
    sizes: dict[bytes, bytes] = {}
    while (found := _DEFINE.match(text)) and len(sizes) < 2:
        name, value = found.groups()
        sizes[b"width" if name.endswith(b"width") else b"height" if name.endswith(b"height") else name] = value
        text = text[found.end() :].lstrip()
    numbers = [value.isdigit() and int(value[:9]) > 0 for value in sizes.values()]
    return array is not None and sizes.keys() == {b"width", b"height"} and all(numbers)


def _without_comments(text: bytes) -> bytes:
    return re.sub(rb"/\*.*?\*/", b" ", text, flags=re.DOTALL).lstrip()


def _xbm_ends(data: bytes) -> bool:
    return b"}" in data[data[:4096].rfind(b"define") :][-2048:]


_HEADERS: dict[str, Callable[[bytes], bool]] = {
    "jpg": _jpeg,
    "png": _png,
    "gif": _gif,
    "webp": _webp,
    "bmp": _bmp,
    "wbmp": _wbmp,
    "xbm": _xbm,
}
_ENDS: dict[str | None, Callable[[bytes], bool]] = {
    "jpg": _jpeg_ends,
    "png": _png_ends,
    "gif": _gif_ends,
    "webp": _webp_ends,
    "bmp": _bmp_ends,
    "xbm": _xbm_ends,
}
