"""A store to run commands against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .rehearsal import Rehearsal, rehearsing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Rehearsal]:
    """A sandbox of 40 products without images."""
    with rehearsing(tmp_path) as rehearsal:
        yield rehearsal
