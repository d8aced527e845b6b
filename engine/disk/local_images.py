"""Local pictures: whether one may be uploaded, and where it lies. Reads of each file no more than tells what it is; opens no connection.

A picture is known by its bytes, never by its name (store-api.md 1.8 has the kinds and the size that a store takes).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..core.errors import RefusedError
from ..core.image_files import source_kind
from ..core.image_format.header import HEAD, identify, identify_bytes
from ..core.manifest.fields import image_file_fault
from ..core.text import quoted

if TYPE_CHECKING:
    from ..core.image_format.truncated import TruncatedFiles

__all__ = ["MAX_BYTES", "Inspection", "inspect", "is_picture", "path_to_upload", "source_kind", "why_not_uploadable"]

MAX_BYTES = 8 * 1024 * 1024
_KINDS = "BMP, GIF, JPEG, PNG, WBMP, XBM or WEBP"


@dataclass(slots=True, frozen=True)
class Inspection:
    """What a look at a local picture found: why it can't be uploaded, None if it can; and whether it is cut off."""

    fault: str | None
    cut: bool = False


def why_not_uploadable(files: Path, image_file: str, cut: TruncatedFiles | None = None) -> str | None:
    """Say why the picture at this path below `files` can't be uploaded; None if it can. One that is cut off goes into `cut`."""
    found = inspect(files, image_file)
    if found.cut and cut is not None:
        cut.add(image_file)
    return found.fault


def inspect(files: Path, image_file: str) -> Inspection:
    """Look at the picture at this path below `files`."""
    reason = image_file_fault(image_file)
    if reason is not None:
        return Inspection(reason)
    path, shown = files / image_file, quoted(image_file)
    try:
        about = path.stat()  # first: to follow the links of a long path that leads nowhere would take for ever
        if not _real(path).is_relative_to(_real(files)):
            return Inspection(f"{shown} is a link that leads outside {quoted(str(files))}")
        return _inspect(path, about, shown)
    except (FileNotFoundError, NotADirectoryError):
        front = " (it is relative to the store's own front? Then put https:// and the shop's host before it)"
        hint = front if image_file.startswith(("product_images/", "content/")) else ""
        return Inspection(f"there is no {shown} in {quoted(str(files))}{hint}")
    except OSError as error:
        return Inspection(f"{shown} can't be read: {error.strerror or 'an I/O error'}")
    except ValueError:
        return Inspection(f"{shown} can't be the name of a file here")


def path_to_upload(files: Path, image_file: str, cut: TruncatedFiles | None = None) -> Path:
    """Return the picture's real path, looked at once more: to be asked right before uploading. One that is cut off goes into `cut`.

    Raises RefusedError, which fails that image alone, if it can't be uploaded any more.
    """
    found = inspect(files, image_file)
    if found.fault is not None:
        raise RefusedError(found.fault)
    if found.cut and cut is not None:
        cut.add(image_file)
    return _real(files / image_file)


def is_picture(data: bytes) -> bool:
    """Tell by the bytes whether this is a picture of a kind that the store takes."""
    return identify_bytes(data) is not None


def _real(path: Path) -> Path:
    # Path.resolve raises RuntimeError for a loop of links on some versions; this leaves it to the opening.
    return Path(os.path.realpath(path))


def _inspect(path: Path, about: os.stat_result, shown: str) -> Inspection:
    size = about.st_size
    if stat.S_ISDIR(about.st_mode):
        return Inspection(f"{shown} is a folder")
    if not stat.S_ISREG(about.st_mode):
        return Inspection(f"{shown} is not a regular file")
    if size == 0:
        return Inspection(f"{shown} is empty")
    if size > MAX_BYTES:
        return Inspection(f"{shown} has {size:,} bytes; a picture may have {MAX_BYTES:,} (8 MB)")
    with path.open("rb", buffering=0) as file:
        picture = identify(_Pieces(file), size)
    if picture is None:
        return Inspection(f"{shown} is not a picture: its bytes are no {_KINDS}")
    return Inspection(None, cut=picture.truncated)


class _Pieces:
    """A file's bytes as they are asked for; the beginning is read once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._head = file.read(HEAD)

    def __call__(self, at: int, length: int) -> bytes:
        if at + length <= len(self._head):
            return self._head[at : at + length]
        self._file.seek(at)
        return self._file.read(length)
