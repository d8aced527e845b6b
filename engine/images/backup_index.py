"""What a backup folder holds, read from its index: which picture of which store lies where, and whether it is still whole.

Several runs may append to one index, and any of them may be killed while it does: a line that is not whole says nothing, and
those around it hold. No symbolic link below the folder is followed, for it may lead to another store's pictures.
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
    """One picture of a backup: where it lies below the folder, and which rendition it is ("original" or "largest")."""

    image_file: str
    file: str
    rendition: str
    sha256: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Index:
    """The pictures of one store by (product id, image id), oldest first; which other stores have some there; damaged lines."""

    pictures: dict[tuple[int, int], list[BackupEntry]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    damaged: list[int] = field(default_factory=list)


def read_index(disk: Disk, folder: Path, store: str, products: Container[int] | None = None) -> Index:
    """What a backup folder holds of this store, of these `products` where they are named.

    Raises DiskError.
    """
    index = Index()
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
    """A picture's line; None where it makes no sense, or names a place that is not below the folder."""
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
    """The picture to go by, of all that were kept of one image: one that is whole, the original before a rendition.

    Raises DiskError where a symbolic link lies on the way to it.
    """
    newest_first = list(kept)[::-1]
    newest_first.sort(key=lambda each: each.rendition != "original")
    return next((each for each in newest_first if is_intact(disk, folder, each)), None)


def is_intact(disk: Disk, folder: Path, kept: BackupEntry) -> bool:
    """Whether a kept picture is there, and still what the index says of it.

    Raises DiskError where a symbolic link lies on the way to it.
    """
    refuse_links(disk, folder, kept.file)
    return digest_of(disk, folder / kept.file) == kept.sha256


def digest_of(disk: Disk, path: Path) -> str | None:
    """The SHA-256 of a file's bytes; None where there is none."""
    if disk.size(path) is None:
        return None
    digest = hashlib.sha256()
    for block in disk.chunks(path):
        digest.update(block)
    return digest.hexdigest()


def store_folder(store: str) -> str:
    """The name of a store's folder in a backup: its hash for a person, and what tells it from every other store."""
    name = _UNSAFE.sub("_", store.rpartition("/")[2])[:64].lstrip(".") or "_"
    return f"{name}-{hashlib.sha256(store.encode()).hexdigest()[:12]}"


def refuse_links(disk: Disk, folder: Path, file: str) -> None:
    """Make sure that no part of a path below the folder is a symbolic link.

    Raises DiskError.
    """
    path = folder
    for part in file.split("/"):
        path = path / part
        if disk.is_link(path):
            raise _link(path)


def refuse_links_among(disk: Disk, folder: Path, store: str, products: Iterable[int]) -> None:
    """Look for symbolic links where the pictures of these products lie or will lie, before anything is deleted.

    Raises DiskError.
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
        f"{path}: this is a symbolic link, and none is followed below a backup folder: what is kept through it may take another "
        "picture's place. Put the files themselves there, or give another --backup folder; then give the same command again"
    )
