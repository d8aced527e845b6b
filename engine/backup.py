"""Pictures kept before they go: the best rendition that can be had, all fields, and a sealed index line for each.

`FOLDER/PRODUCT/IMAGE/NAME` holds the bytes under the name that they once came with, so that an upload of the file bears it
again; `FOLDER/index.jsonl` says what they are. The picture is on disk and its line synced before the delete may be sent.
Pictures come from wherever the store says, so no token travels with the asking.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .core.errors import BackupError, CheckpointError, DiskError, LostError, StoppedError, StoreError
from .core.names import stem
from .core.record import is_whole, seal, unseal
from .sources import is_picture

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from .core.model import Present
    from .disk import Disk

    Fetch = Callable[[str], Awaitable[bytes]]

INDEX = "index.jsonl"
LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(slots=True, frozen=True)
class Kept:
    """One picture of a backup: where it lies below the folder, and which rendition it is ("original" or "largest")."""

    image_file: str
    file: str
    rendition: str
    sha256: str
    fields: dict[str, Any]


class Backup:
    """A folder of pictures; one run writes to it at a time. What it holds already, and whole, is not fetched again."""

    def __init__(self, disk: Disk, folder: Path, store: str, fetch: Fetch, storefront_url: str | None) -> None:
        self._disk = disk
        self._folder = folder
        self._store = store
        self._fetch = fetch
        self._storefront = storefront_url
        self._known = read_index(disk, folder, store)
        self._line_end()
        self._broken: DiskError | None = None
        self._smaller: str | None = None
        self._kept = {"original": 0, "largest": 0}
        self._file = disk.append(folder / INDEX)

    def _line_end(self) -> None:
        """A line torn by a crash is closed, so that the next one stands alone."""
        path = self._folder / INDEX
        last = b""
        if self._disk.size(path):
            for line in self._disk.lines(path):
                last = line
        if last and not last.endswith(b"\n"):
            self._disk.truncate(path, (self._disk.size(path) or 0) - len(last))

    async def keep(self, product_id: int, image: Present) -> None:
        """Have the picture and its fields on disk.

        Raises BackupError where the picture can't be had, and then the image must not be deleted; DiskError; StoppedError
        where the run was asked to stop before it was had.
        """
        if self._broken is not None:
            raise self._broken
        kept = self._known.get((product_id, image.image_id))
        if kept is not None and kept.image_file == image.image_file and is_intact(self._disk, self._folder, kept):
            return
        data, url, rendition = await self._best(product_id, image)
        try:
            await self._write(product_id, image, data, url, rendition)
        except DiskError as error:
            # Whatever else is under way must not write behind a line that may be torn.
            self._broken = error
            raise

    async def _best(self, product_id: int, image: Present) -> tuple[bytes, str, str]:
        tries = []
        smaller = "without --storefront-url the originals are not asked for"
        if self._storefront is not None:
            url = f"{self._storefront.rstrip('/')}/product_images/{quote(image.image_file)}"
            tries.append((url, "original"))
        if image.url is not None:
            tries.append((image.url, "largest"))
        reason = "the store names no address of its picture"
        for url, rendition in tries:
            try:
                data = await self._fetch(url)
            except StoppedError:
                raise
            except LostError as error:
                # It may have the original all the same; a smaller one instead of it could not be taken back.
                reason = str(error)
                break
            except StoreError as error:
                reason = smaller = str(error)
            else:
                if is_picture(data):
                    if rendition == "largest":
                        self._smaller = self._smaller or smaller
                    return data, url, rendition
                reason = smaller = f"what {url[:120]} serves is not a picture"
        raise BackupError(f"the picture of image {image.image_id} of product {product_id} can't be kept: {reason}")

    async def _write(self, product_id: int, image: Present, data: bytes, url: str, rendition: str) -> None:
        name = f"{product_id}/{image.image_id}/{_safe_name(stem(image.image_file))}"
        path = self._folder / name
        self._disk.make_folder(path.parent.parent)
        self._disk.make_folder(path.parent)
        made = path.with_name(path.name + ".new")
        file = self._disk.create(made)
        try:
            file.write(data)
            await file.sync()
        except BaseException:
            self._disk.remove(made)
            raise
        finally:
            file.close()
        await self._disk.publish(made, path)
        fields = {
            "description": image.description,
            "sort_order": image.sort_order,
            "is_thumbnail": image.is_thumbnail,
        }
        digest = hashlib.sha256(data).hexdigest()
        row = {
            "store": self._store,
            "product_id": product_id,
            "image_id": image.image_id,
            "image_file": image.image_file,
            **fields,
            "file": name,
            "rendition": rendition,
            "url": url,
            "bytes": len(data),
            "sha256": digest,
        }
        self._file.write(seal(row))
        await self._file.sync()
        self._kept[rendition] += 1
        self._known[product_id, image.image_id] = Kept(image.image_file, name, rendition, digest, fields)

    def told(self) -> list[str]:
        """What this run kept, and why not the originals where it didn't."""
        originals, largest = self._kept["original"], self._kept["largest"]
        if not originals + largest:
            return []
        said = f"kept in {self._folder}: {originals:,} originals, {largest:,} largest renditions"
        return [f"{said} ({self._smaller})" if self._smaller else said]

    def close(self) -> None:
        """Give the index back."""
        self._file.close()


def is_intact(disk: Disk, folder: Path, kept: Kept) -> bool:
    """Whether a kept picture is there, and still what the index says of it."""
    path = folder / kept.file
    if disk.size(path) is None:
        return False
    digest = hashlib.sha256()
    for block in disk.blocks(path):
        digest.update(block)
    return digest.hexdigest() == kept.sha256


def _safe_name(name: str) -> str:
    """A name that any file system takes, with its extension; the index has the true one."""
    return _UNSAFE.sub("_", name)[-LONGEST_NAME:].lstrip(".") or "_"


def read_index(disk: Disk, folder: Path, store: str) -> dict[tuple[int, int], Kept]:
    """What a backup folder holds of this store: (product id, image id) -> where and what. A torn last line is dropped.

    Raises CheckpointError where a line before the last one is damaged.
    """
    path = folder / INDEX
    known: dict[tuple[int, int], Kept] = {}
    torn = 0
    if disk.size(path) is None:
        return known
    for number, line in enumerate(disk.lines(path), 1):
        if torn:
            raise CheckpointError(
                f"{path}:{torn}: the backup's index is damaged; it was left as it is. Give another --backup folder"
            )
        if not is_whole(line):
            torn = number
            continue
        row = unseal(line)
        try:
            if row["store"] == store:
                fields = {name: row[name] for name in ("description", "sort_order", "is_thumbnail")}
                name, file, rendition, digest = (str(row[n]) for n in ("image_file", "file", "rendition", "sha256"))
                known[row["product_id"], row["image_id"]] = Kept(name, file, rendition, digest, fields)
        except (KeyError, TypeError):
            raise CheckpointError(
                f"{path}:{number}: not a picture's line of a backup; give another --backup folder"
            ) from None
    return known
