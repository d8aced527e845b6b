"""User and password in an address: a page, a message or a record shows that they are there, and not what they are. Pure."""

from __future__ import annotations

import re
from typing import Any

MASK = "***"
# From the slashes to the last at sign before the host's end.
_USER = re.compile(r"(?<=//)[^/?#\s]*@")


def masked(text: str) -> str:
    """The text with `https://***@host/…` in place of each address that names a user or a password.

    To be done before a text is cut: what was cut off before its at sign can't be told from a host.
    """
    return _USER.sub(f"{MASK}@", text) if "@" in text else text


def all_masked(value: Any) -> Any:
    """The same JSON value with every text in it masked; keys are the program's own."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list | tuple):
        return [all_masked(each) for each in value]
    if isinstance(value, dict):
        return {name: all_masked(each) for name, each in value.items()}
    return value
