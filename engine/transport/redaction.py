"""The token in all the spellings that a store may say it back in: plain, escaped, percent-encoded, base64. Pure.

What was cut off in its middle is known by its first letters, and taken out as far as it goes. The raw text of an answer is
searched, escapes and all, so that nothing that is decoded from it can hold the token.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from html import escape
from urllib.parse import quote

# What stands where a store said the token back.
REDACTED = "[token]"
# So many letters of it tell it from other text; with fewer, base64 would be found by chance.
MIN_PREFIX = 8
# The quickest length to search for, and unlikely enough by chance.
NEEDLE = 24

# What a listing seldom has, the rarest first.
RARE = "QXZJKqYWHVUjGOBNkyRLEwCSMPATDFI+"

# A letter or digit that is escaped all the same; the token's other signs are added.
_ESCAPED = rb"\\u00(?:3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a]"

_FLAGS = re.ASCII | re.IGNORECASE


class TokenRedactor:
    """One token. `redacted` is thorough; `hinted` is quick, and fit for every answer that went well."""

    def __init__(self, token: str) -> None:
        encoded = [_in_base64(token, before) for before in range(3)]
        known = [token, *(each for each in encoded if len(each) >= MIN_PREFIX)]
        self._spellings = [_Spelling(each) for each in known]
        exact = {*known, token.replace("/", "\\/"), quote(token), quote(token, safe="")}
        self._needles = [(_rarest(each), each[:NEEDLE].encode()) for each in sorted(exact)]
        self._escaped = re.compile(
            _ESCAPED + b"".join(b"|%02x" % ord(each) for each in token if not each.isalnum()) + b")", re.IGNORECASE
        )
        self._percent = _heads(token, "%{:02x}")

    def __repr__(self) -> str:
        return "Secret()"

    def may_contain(self, body: bytes) -> bool:
        """Whether the token may be in there: exactly, in base64, with any letter of it escaped, or all percent-encoded."""
        for letter, needle in self._needles:
            # One letter is looked for five times as fast, and most bodies don't have the rarest.
            if letter in body and needle in body:
                return True
        if b"\\" in body and self._escaped.search(body) is not None:
            return True
        return b"%" in body and any(head in body for head in self._percent)

    def redact(self, text: str) -> str:
        """Take the token out of a text, in whatever spelling, upper or lower case, mixed, or cut off after TELLING letters."""
        for spelling in self._spellings:
            text = spelling.taken_out_of(text)
        return text

    def redacted_bytes(self, body: bytes) -> bytes:
        """As `redacted`, for raw bytes of any encoding that has ASCII in it."""
        return self.redact(body.decode("latin-1")).encode("latin-1")


class _Spelling:
    """One string, each letter of which may be written in any of its ways."""

    def __init__(self, letters: str) -> None:
        self._head = re.compile("".join(map(_ways, letters[:MIN_PREFIX])), _FLAGS)
        self._rest = letters[MIN_PREFIX:]

    def taken_out_of(self, text: str) -> str:
        found = self._head.search(text)
        if found is None:
            return text
        parts, done = [], 0
        while found is not None:
            parts.append(text[done : found.start()])
            done = self._end(text, found.end())
            found = self._head.search(text, done)
        return REDACTED.join([*parts, text[done:]])

    def _end(self, text: str, at: int) -> int:
        for letter in self._rest:
            following = _pattern(letter).match(text, at)
            if following is None:
                break
            at = following.end()
        return at


@cache
def _pattern(letter: str) -> re.Pattern[str]:
    return re.compile(_ways(letter), _FLAGS)


@cache
def _ways(letter: str) -> str:
    r"""How a letter may be written: as it is, `\u0041`, `\x41`, `%41` (and the like of those, escaped again), `&#65;`, `&#x41;`."""
    code = ord(letter)
    ways = [
        rf"\\{{1,4}}(?:u00|x){code:02x}",
        rf"%(?:25){{0,2}}{code:02x}",
        f"&#(?:0{{0,4}}{code}|x0{{0,4}}{code:x});",
    ]
    if escape(letter) != letter:
        ways.append(escape(letter))
    # base64 as URLs have it writes two letters otherwise. A backslash before a letter or digit would mean another one.
    plain = {"+": "[+-]", "/": "[/_]"}.get(letter, re.escape(letter))
    ways.append(plain if letter.isalnum() else rf"\\{{0,4}}{plain}")
    return f"(?:{'|'.join(ways)})"


def _rarest(text: str) -> bytes:
    """The letter of the text's needle that other bodies are least likely to have."""
    needle = text[:NEEDLE]
    return next((letter for letter in RARE if letter in needle), needle[0]).encode()


def _in_base64(token: str, before: int) -> str:
    """The letters of base64 that the token alone decides, where it stands `before` bytes after a group's first."""
    encoded = base64.b64encode(bytes(before) + token.encode()).decode()
    bits = 8 * (before + len(token.encode()))
    return encoded[-(-8 * before // 6) : bits // 6]


def _heads(token: str, form: str) -> list[bytes]:
    """The first letters in an escape's form, its hexadecimal digits small and large."""
    codes = token[: MIN_PREFIX // 2].encode()
    small = "".join(form.format(code) for code in codes)
    large = "".join(form.replace("x}", "X}").format(code) for code in codes)
    return [each.encode() for each in sorted({small, large})]
