"""Outside text as one printable line, and durations in words."""

from __future__ import annotations

from typing import Any

from .masking import masked

_SHOWN = 76  # of 80 characters of input that a fault may repeat; quotes and an ellipsis take the rest


def printable(text: str, room: int = _SHOWN) -> str:
    """Make the text one short printable line: what doesn't print is escaped, passwords are masked, what is too long is cut."""
    text = masked(text)
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: room + 1])
    return shown if len(shown) <= room else shown[: room - 1] + "…"


def quoted(text: str) -> str:
    """Put the text in quotes, short and printable."""
    return f'"{printable(text)}"'


def found(value: Any) -> str:
    """Say in few words what stands there instead of what should."""
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


# A wait of over a minute is said, with its reason.
LONG_WAIT = 60.0


def in_words(seconds: float) -> str:
    """A long wait as a person says it."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
