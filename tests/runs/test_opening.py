"""Where `-o` may write: only where a file of that name is nobody else's business."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from imageferry.core.errors import SettingsError
from imageferry.runs.opening import check_output

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """A rename would put a file in the place of a device."""
    output = tmp_path / "out"
    if kind == "fifo":
        os.mkfifo(output)
    else:
        output.mkdir()
    with pytest.raises(SettingsError, match="no regular file"):
        check_output(output)


def test_what_the_command_reads_is_not_replaced(tmp_path: Path) -> None:
    """A manifest is often the only copy."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(b"{}\n")
    with pytest.raises(SettingsError, match="give another name"):
        check_output(tmp_path / "." / "m.jsonl", manifest)
    check_output(manifest)
    check_output(tmp_path / "new.plan", manifest)
