"""Index of a backup folder.

The files of each image, and checks that they are intact.

Several runs may append to one index, and each may be killed while it does: a damaged line is ignored, the others are
valid. Symbolic links below the folder are refused, since they may lead to another store's images.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.checkpoint.records import is_whole, unseal
from ..core.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from pathlib import Path

    from ..disk.interface import Disk

INDEX = "index.jsonl"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_BELOW = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(slots=True, frozen=True)
class BackupEntry:
    """One file of a backup.

    Its place below the folder and its rendition.

    The rendition is "original" or "largest".
    """

    image_file: str
    file: str
    rendition: str
    sha256: str
    fields: dict[str, Any]


@dataclass(slots=True)
class BackupIndex:
    """The copies of one store by (product id, image id), oldest first.

    `others` has the other stores in the folder, `damaged` the numbers of damaged lines.
    """

    pictures: dict[tuple[int, int], list[BackupEntry]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    damaged: list[int] = field(default_factory=list)


def read_index(disk: Disk, folder: Path, store: str, products: Container[int] | None = None) -> BackupIndex:
    """Return the copies of this store, restricted to `products` if given.

    Raises DiskError.
    """
    index = BackupIndex()
    path = folder / INDEX
    if disk.size(path) is None:
        return index
    for number, line in enumerate(disk.lines(path), 1):
        if line == b"\n":
            continue
        row = unseal(line) if is_whole(line) else {}
        kept = _read(row)
        if kept is None:
            index.damaged.append(number)
        elif row["store"] != store:
            index.others.add(row["store"])
        elif products is None or row["product_id"] in products:
            index.pictures.setdefault((row["product_id"], row["image_id"]), []).append(kept)
    return index


def _read(row: dict[str, Any]) -> BackupEntry | None:
    """Return the entry of a line.

    None if it is invalid or leads out of the folder.
    """
    try:
        name, file, rendition, digest = (row[n] for n in ("image_file", "file", "rendition", "sha256"))
        fields = {name: row[name] for name in ("description", "sort_order", "is_thumbnail")}
        texts, numbers = (name, file, rendition, digest, row["store"]), (row["product_id"], row["image_id"])
    except KeyError:
        return None
    if any(type(text) is not str for text in texts) or any(type(number) is not int for number in numbers):
        return None
    return BackupEntry(name, file, rendition, digest, fields) if _BELOW.fullmatch(file) else None


def best(disk: Disk, folder: Path, kept: Iterable[BackupEntry]) -> BackupEntry | None:
    """Return the best intact copy of one image.

    The original before a rendition, then the newest.

    Raises DiskError if a symbolic link is on its path.
    """
    newest_first = list(kept)[::-1]
    newest_first.sort(key=lambda each: each.rendition != "original")
    return next((each for each in newest_first if is_intact(disk, folder, each)), None)


def is_intact(disk: Disk, folder: Path, kept: BackupEntry) -> bool:
    """Return True if the file exists and has the digest of the index.

    Raises DiskError if a symbolic link is on its path.
    """
    refuse_links(disk, folder, kept.file)
    return digest_of(disk, folder / kept.file) == kept.sha256


def digest_of(disk: Disk, path: Path) -> str | None:
    """Return the SHA-256 of a file in hex.

    None if it does not exist.
    """
    if disk.size(path) is None:
        return None
    digest = hashlib.sha256()
    for block in disk.chunks(path):
        digest.update(block)
    return digest.hexdigest()


def store_folder(store: str) -> str:
    """Return the folder name of a store.

    Its readable hash and a digest that makes it unique.
    """
    name = _UNSAFE.sub("_", store.rpartition("/")[2])[:64].lstrip(".") or "_"
    return f"{name}-{hashlib.sha256(store.encode()).hexdigest()[:12]}"


def refuse_links(disk: Disk, folder: Path, file: str) -> None:
    """Check that no part of a path below the folder is a symbolic link.

    Raises DiskError if one is.
    """
    path = folder
    for part in file.split("/"):
        path = path / part
        if disk.is_link(path):
            raise _link(path)


def refuse_links_among(disk: Disk, folder: Path, store: str, products: Iterable[int]) -> None:
    """Check the present and future folders of these products for symbolic links.

    Raises DiskError if one is found.
    """
    own = folder / store_folder(store)
    places = [(folder, False), (own, False)]
    places += [(place / str(product), True) for product in products for place in (folder, own)]
    for place, deep in places:
        found = disk.find_link(place, deep=deep)
        if found is not None:
            raise _link(found)


def _link(path: Path) -> DiskError:
    return DiskError(
        f"{path}: symbolic link in a backup folder. It could lead to another image's copy, so it is not followed. Replace it with "
        "the files themselves or choose another --backup folder, then run the same command again"
    )
