"""Printable text for messages: quoting, shortening, durations."""

from __future__ import annotations

from typing import Any

from .masking import masked

_SHOWN = 76  # characters of input that an error repeats: 80 less quotes and ellipsis


def printable(text: str, room: int = _SHOWN) -> str:
    """Return the text as one printable line of at most `room` characters.

    Other characters are escaped, passwords masked.
    """
    text = masked(text)
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: room + 1])
    return shown if len(shown) <= room else shown[: room - 1] + "…"


def quoted(text: str) -> str:
    """Return the text in quotes, short and printable."""
    return f'"{printable(text)}"'


def found(value: Any) -> str:
    """Return a few words for a value of the wrong type."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case dict():
            return "an object"
        case list():
            return "an array"
    return printable(str(value), 40)


# Waits longer than this (seconds) are reported, with the reason.
LONG_WAIT = 60.0


def in_words(seconds: float) -> str:
    """Return a duration in seconds or minutes, as a message shows it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
