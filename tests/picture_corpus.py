"""Picture files made here, each with the verdict that the engine's check and the sandbox must both come to.

`SOUND`: whole pictures, usual and odd. `CUT`: those whose header is there and whose end is missing. `REFUSED`: what the store takes
for no picture, whatever its name says.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image

WIDE, HIGH = 64, 48


def _drawn() -> Image.Image:
    picture = Image.new("RGB", (WIDE, HIGH))
    picture.putdata([(x * 5 % 256, x * y % 256, y * 7 % 256) for y in range(HIGH) for x in range(WIDE)])
    return picture


DRAWN = _drawn()


def saved(form: str, picture: Image.Image = DRAWN, **more: object) -> bytes:
    """The bytes that Pillow writes."""
    out = BytesIO()
    picture.save(out, form, **more)
    return out.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(*segments: bytes) -> bytes:
    """A JPEG with these before all others."""
    data = saved("JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunk(name: bytes, body: bytes) -> bytes:
    """A PNG with this chunk behind its header."""
    data = saved("PNG")
    return data[:33] + chunk(name, body) + data[33:]


def ihdr(width: int = 3, height: int = 2, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG's header."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def bitmap(header: int, depth: int, packing: int = 0, *, extra: bytes = b"", height: int = 8, claims: int = 0) -> bytes:
    """A BMP of 32 x 8 pixels, written by hand: `header` is the length of its header, `extra` stands behind it."""
    about = struct.pack("<IiiHHIIiiII", header, 32, height, 1, depth, packing, claims, 0, 0, 0, 0)
    if header == 12:
        about = struct.pack("<IHHHH", 12, 32, height, 1, depth)
    about = about[:header].ljust(header, b"\0") + extra
    pixels = bytes(range(1, 256)) * 40
    pixels = pixels[: claims or 32 * depth // 8 * abs(height)]
    size, start = 14 + len(about) + len(pixels), 14 + len(about)
    return b"BM" + struct.pack("<III", size, 0, start) + about + pixels


def riff(*chunks: bytes) -> bytes:
    """A RIFF file that says it is a WebP."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


MASKS = {"5-6-5": (0xF800, 0x7E0, 0x1F), "10-10-10": (0x3FF00000, 0xFFC00, 0x3FF)}
XBM = b"#define a_width 8\n#define a_height 2\nstatic char a_bits[] = {\n  0x00, 0xff};\n"
EXIF_THUMBNAIL = segment(0xE1, b"Exif\0\0" + saved("JPEG", DRAWN.resize((16, 12))))
PROFILE = bytes(64_000)


def _animated(form: str) -> bytes:
    return saved(form, save_all=True, append_images=[DRAWN.rotate(90), DRAWN.rotate(180)], duration=100)


def _text(size: int) -> bytes:
    return b"History\0\0" + zlib.compress(b"a" * size)


SOUND: dict[str, bytes] = {
    "JPEG": saved("JPEG"),
    "JPEG, progressive": saved("JPEG", progressive=True),
    "JPEG, grey": saved("JPEG", DRAWN.convert("L")),
    "JPEG of four colours": saved("JPEG", DRAWN.convert("CMYK")),
    "JPEG with a thumbnail in its metadata": with_segments(EXIF_THUMBNAIL),
    "JPEG with a profile of 320 kB": with_segments(*[segment(0xE2, b"ICC_PROFILE\0\1\5" + PROFILE)] * 5),
    "JPEG with filled-up markers": with_segments(b"\xff\xff\xff\xff", segment(0xFE, b"a comment")),
    "JPEG with other bytes behind its end": saved("JPEG") + b"\0" * 70_000,
    "JPEG of two pictures": saved("MPO", save_all=True, append_images=[DRAWN.rotate(90)]),
    "JPEG of two pictures, the second cut": saved("MPO", save_all=True, append_images=[DRAWN.rotate(90)])[:-40],
    "PNG": saved("PNG"),
    "PNG, palette": saved("PNG", DRAWN.convert("P")),
    "PNG of one bit": saved("PNG", DRAWN.convert("1")),
    "PNG of 16 bits": saved("PNG", DRAWN.convert("I;16")),
    "PNG with a text that unpacks to 2 MB": with_chunk(b"zTXt", _text(2_000_000)),
    "PNG with an international text that unpacks to 2 MB": with_chunk(
        b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(b"a" * 2_000_000)
    ),
    "PNG with a profile that unpacks to 2 MB": with_chunk(b"iCCP", b"Press\0\0" + zlib.compress(bytes(2_000_000))),
    "PNG with other bytes behind its end": saved("PNG") + b"\n" * 5_000,
    "PNG of 10 thousand million pixels": ihdr(100_000, 100_000) + chunk(b"IEND", b""),
    "GIF": b"GIF89a" + saved("GIF")[6:],
    "GIF of 1987": b"GIF87a" + saved("GIF")[6:],
    "GIF, animated": _animated("GIF"),
    "GIF with other bytes behind its end": saved("GIF") + b"\0" * 3_000,
    "WEBP": saved("WEBP"),
    "WEBP, lossless": saved("WEBP", lossless=True),
    "WEBP with transparency": saved("WEBP", DRAWN.convert("RGBA").rotate(45)),
    "WEBP, animated": _animated("WEBP"),
    "WEBP with other bytes behind its end": saved("WEBP") + b"\0" * 100,
    "BMP": saved("BMP"),
    "BMP, OS/2 1": bitmap(12, 24),
    "BMP, OS/2 2": bitmap(64, 24),
    "BMP, OS/2 2, cut to 16 bytes of header": bitmap(16, 24),
    "BMP of 2 bits": bitmap(40, 2, extra=bytes(16)),
    "BMP of 16 bits": bitmap(40, 16),
    "BMP of 16 bits with masks": bitmap(40, 16, 3, extra=struct.pack("<III", *MASKS["5-6-5"])),
    "BMP of 32 bits, 10-10-10": bitmap(40, 32, 3, extra=struct.pack("<III", *MASKS["10-10-10"])),
    "BMP, top row first": bitmap(40, 32, height=-8),
    "BMP, version 4": bitmap(108, 32, 3),
    "BMP, version 5": bitmap(124, 32),
    "BMP, packed by runs": bitmap(40, 8, 1, extra=bytes(1024), claims=300),
    "BMP around a JPEG": bitmap(40, 0, 4, claims=1000),
    "BMP with other bytes behind its end": bitmap(40, 24) + b"\0" * 100,
    "XBM": XBM,
    "XBM with a dash in its name": XBM.replace(b"a_", b"my-icon_"),
    "XBM of shorts": XBM.replace(b"static char", b"static short"),
    "XBM, height before width": b"#define a_height 2\n#define a_width 8\n" + XBM.partition(b"2\n")[2],
    "XBM with a hot spot": XBM.replace(
        b"static char", b"#define a_x_hot 1\n#define a_y_hot 1\nstatic const unsigned char"
    ),
    "XBM with comments": b"/* Made by hand,\n #define of course */\n" + XBM.replace(b"static", b"/* { */ static"),
    "XBM without a name": XBM.replace(b"a_", b""),
    "WBMP": b"\0\0\x09\x02" + b"\xff" * 4,
    "WBMP, 129 wide": b"\0\0\x81\x01\x01" + b"\xff" * 17,
}

_NOT_CUT = ("WBMP", "XBM without", "JPEG of two pictures, the second", "PNG of 10")


def _cuts() -> dict[str, bytes]:
    made = {}
    for name, data in SOUND.items():
        if name.startswith(_NOT_CUT) or "behind its end" in name or name == "JPEG of two pictures":
            continue
        header = {"X": data.find(b"= {"), "J": _behind_frame(data)}.get(name[0], 40)
        for part in (0.02, 0.5, 0.9):
            made[f"{name}, cut at {part:.0%} of its pixels"] = data[: header + int((len(data) - 10 - header) * part)]
        made[f"{name}, without its last ten bytes"] = data[:-10]
    for name in ("JPEG", "PNG", "GIF"):
        made[f"{name}, without its last byte"] = SOUND[name][:-1]
    return made


def _behind_frame(data: bytes) -> int:
    at = max(data.rfind(b"\xff\xc0\0"), data.rfind(b"\xff\xc2\0"))
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


CUT = _cuts()

REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "a line of text": b"hello\n",
    "HTML": b"<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
    "SVG with a byte order mark": b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg'/>",
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(200),
    "TIFF": saved("TIFF"),
    "TIFF, high byte first": b"MM\0*\0\0\0\x08" + bytes(64),
    "ICO": saved("ICO", DRAWN.resize((16, 16))),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64),
    "JPEG XL": b"\xff\x0a" + bytes(64),
    "PDF": b"%PDF-1.7\n",
    "Photoshop": b"8BPS\0\1" + bytes(64),
    "ZIP": b"PK\3\4" + bytes(64),
    "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(24),
    "WEBP of a strange first chunk": riff(b"ALPH\x08\0\0\0" + bytes(8)),
    "WEBP of a broken key frame": riff(b"VP8 \x10\0\0\0" + bytes(16)),
    "WEBP, nothing behind its name": riff(),
    "JPEG's signature": b"\xff\xd8\xff",
    "JPEG in name only": b"\xff\xd8\xff\xe0 and then nothing of the kind",
    "JPEG without a frame": b"\xff\xd8" + segment(0xE0, b"JFIF\0") + b"\xff\xd9",
    "JPEG of no width": b"\xff\xd8" + segment(0xC0, struct.pack(">BHHB", 8, 10, 0, 1) + b"\1\x11\0") + b"\xff\xd9",
    "JPEG, cut in its header": with_segments(EXIF_THUMBNAIL)[:200],
    "PNG's signature": b"\x89PNG\r\n\x1a\n",
    "PNG, cut in its header": saved("PNG")[:30],
    "PNG with a damaged header": saved("PNG")[:17] + b"\1" + saved("PNG")[18:],
    "PNG of no height": ihdr(height=0) + chunk(b"IEND", b""),
    "PNG of an unknown depth": ihdr(depth=3) + chunk(b"IEND", b""),
    "PNG through a text filter": saved("PNG").replace(b"\r\n", b"\n", 1),
    "GIF's signature": b"GIF89a",
    "GIF of 1988": b"GIF88a" + saved("GIF")[6:],
    "BMP's signature": b"BM",
    "text that begins with BM": b"BMW and other cars, a catalogue of many pages",
    "BMP with an unknown header": bitmap(13, 24),
    "BMP of no height": bitmap(40, 24, height=0, claims=96),
    "BMP of 5 bits": bitmap(40, 5),
    "XBM without an array": XBM.partition(b"static")[0],
    "XBM of one size": XBM.partition(b"\n")[2],
    "XBM of no width": XBM.replace(b"8", b"0", 1),
    "a program": b"#include <stdio.h>\n#define a_width 8\nint main(void) { return 0; }\n",
    "WBMP, a byte too long": SOUND["WBMP"] + b"\0",
    "WBMP, a byte too short": SOUND["WBMP"][:-1],
    "WBMP without an end of its size": b"\0\0" + b"\x81" * 90,
    "zeros": bytes(100),
}

VERDICTS = {
    **{name: (data, "sound") for name, data in SOUND.items()},
    **{name: (data, "cut") for name, data in CUT.items()},
    **{name: (data, "refused") for name, data in REFUSED.items()},
}
