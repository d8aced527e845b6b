"""Engines that are known to be bad, made by swapping the smallest piece: the net must catch each of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

ENGINES: dict[str, Callable[[], AbstractContextManager[object]]] = {}


@contextmanager
def swapped_in(name: str | None) -> Iterator[None]:
    """The engine of this name in place of the shipped one; None leaves it as it is."""
    if name is None:
        yield
        return
    with ENGINES[name]():
        yield
