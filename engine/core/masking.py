"""Masking of user names and passwords in addresses, for output and logs.

Pure.
"""

from __future__ import annotations

import re
from typing import Any

MASK = "***"
# From the slashes to the last at sign of the authority.
_USER = re.compile(r"(?<=//)[^/?#\s]*@")


def masked(text: str) -> str:
    """Return the text with `https://***@host/…` for each address with credentials.

    Mask a text before shortening it: without its at sign, a cut password looks like a host.
    """
    return _USER.sub(f"{MASK}@", text) if "@" in text else text


def all_masked(value: Any) -> Any:
    """Return the same JSON value with all its texts masked.

    Keys are not changed.
    """
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list | tuple):
        return [all_masked(each) for each in value]
    if isinstance(value, dict):
        return {name: all_masked(each) for name, each in value.items()}
    return value
