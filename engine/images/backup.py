"""Backup of images before they are deleted.

The best rendition, all fields, and a sealed index line.

`FOLDER/STORE/PRODUCT/IMAGE/NAME` has the bytes under the image's original name, so that an upload of the file restores
the name; `FOLDER/index.jsonl` describes it. File and line are synced before the delete is sent. No existing file is
overwritten: if the name is taken by other bytes, the file goes to a subfolder named by its digest. Folders of older
versions have no STORE in the path; they are read and left as they are. Images are fetched from the addresses that the
store names, so no token is sent.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..core.checkpoint.records import seal
from ..core.errors import BackupError, DiskError, LostError, StoppedError, StoreError
from ..core.image_files import base_name
from ..disk.local_images import is_picture
from .backup_index import (
    INDEX,
    BackupEntry,
    best,
    digest_of,
    read_index,
    refuse_links,
    refuse_links_among,
    store_folder,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from ..core.model import StoredImage
    from ..disk.interface import Disk

    Fetch = Callable[[str], Awaitable[bytes]]

LONGEST_NAME = 100
_TRIES = 3
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class Backup:
    """A backup folder, which other runs may write to as well.

    Intact copies are not fetched again.
    """

    def __init__(
        self, disk: Disk, folder: Path, store: str, fetch: Fetch, storefront_url: str | None, *, mark: str
    ) -> None:
        """`mark` is unique to this run, so that two runs never write to one temporary file."""
        refuse_links(disk, folder, INDEX)
        self._disk = disk
        self._folder = folder
        self._store = store
        self._fetch = fetch
        self._storefront = storefront_url
        self._mark = mark
        self._copies = read_index(disk, folder, store).pictures
        self._broken: DiskError | None = None
        self._smaller: str | None = None
        self._copies_made = {"original": 0, "largest": 0}
        self._file = disk.append(folder / INDEX)

    def refuse_links(self, products: Iterable[int]) -> None:
        """Check the folders of these products for symbolic links, before the first write.

        Raises DiskError if one is found.
        """
        refuse_links_among(self._disk, self._folder, self._store, products)

    async def keep(self, product_id: int, image: StoredImage) -> None:
        """Write the image and its fields to the backup folder, unless an intact copy is there.

        Raises BackupError if no rendition can be fetched (the image must not be deleted then), DiskError, and StoppedError if
        the run is stopped before.
        """
        if self._broken is not None:
            raise self._broken
        kept = self._copies.get((product_id, image.image_id), ())
        if best(self._disk, self._folder, (each for each in kept if each.image_file == image.image_file)) is not None:
            return
        data, url, rendition = await self._fetch_best(product_id, image)
        try:
            await self._write(product_id, image, data, url, rendition)
        except DiskError as error:
            # No other task may append after a line that may be incomplete.
            self._broken = error
            raise

    async def _fetch_best(self, product_id: int, image: StoredImage) -> tuple[bytes, str, str]:
        tries = []
        smaller = "originals need --storefront-url"
        if self._storefront is not None:
            url = f"{self._storefront.rstrip('/')}/product_images/{quote(image.image_file)}"
            tries.append((url, "original"))
        if image.url is not None:
            tries.append((image.url, "largest"))
        reason = "the store lists no address for it"
        for url, rendition in tries:
            try:
                data = await self._fetch(url)
            except StoppedError:
                raise
            except LostError as error:
                # The original may still exist; a smaller rendition cannot replace it.
                reason = str(error)
                break
            except StoreError as error:
                reason = smaller = str(error)
            else:
                if is_picture(data):
                    if rendition == "largest":
                        self._smaller = self._smaller or smaller
                    return data, url, rendition
                reason = smaller = f"{url[:120]} is not an image"
        raise BackupError(f"image {image.image_id} of product {product_id} cannot be backed up: {reason}")

    async def _write(self, product_id: int, image: StoredImage, data: bytes, url: str, rendition: str) -> None:
        digest = hashlib.sha256(data).hexdigest()
        name = await self._place(f"{store_folder(self._store)}/{product_id}/{image.image_id}", image, data, digest)
        fields = {
            "description": image.description,
            "sort_order": image.sort_order,
            "is_thumbnail": image.is_thumbnail,
        }
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
        await self._append_line(seal(row))
        self._copies_made[rendition] += 1
        kept = BackupEntry(image.image_file, name, rendition, digest, fields)
        self._copies.setdefault((product_id, image.image_id), []).append(kept)

    async def _place(self, folder: str, image: StoredImage, data: bytes, digest: str) -> str:
        """Write the bytes under the image's name, or in a subfolder named by their digest."""
        name = _safe_name(base_name(image.image_file))
        place, aside = f"{folder}/{name}", f"{folder}/{digest[:32]}/{name}"
        for file in (place, aside):
            refuse_links(self._disk, self._folder, file)
            if digest_of(self._disk, self._folder / file) == digest:
                return file
        self._make_folders(place)
        temporary = await self._write_temporary(self._folder / folder / f"{name}.{self._mark}.new", data)
        if await self._disk.publish_new(temporary, self._folder / place):
            return place
        self._make_folders(aside)
        await self._disk.replace(temporary, self._folder / aside)
        return aside

    def _make_folders(self, file: str) -> None:
        path = self._folder
        for part in file.split("/")[:-1]:
            path = path / part
            self._disk.make_folder(path)

    async def _write_temporary(self, temporary: Path, data: bytes) -> Path:
        file = self._disk.create(temporary)
        try:
            file.write(data)
            await file.sync()
        except BaseException:
            self._disk.remove(temporary)
            raise
        finally:
            file.close()
        return temporary

    async def _append_line(self, line: bytes) -> None:
        """Append a line to the index and read it back, since other runs append, too.

        Raises DiskError.
        """
        path = self._folder / INDEX
        for _ in range(_TRIES):
            at = self._disk.size(path) or 0
            incomplete = at > 0 and b"".join(self._disk.lines(path, at - 1))[:1] != b"\n"
            self._file.write(b"\n" + line if incomplete else line)
            await self._file.sync()
            if line in self._disk.lines(path, at):
                return
        raise DiskError(f"{path}: what was written to the index can't be read back. Give another --backup folder")

    def notes(self) -> list[str]:
        """Return one note with the number of copies made, and the reason if not all are originals."""
        originals, largest = self._copies_made["original"], self._copies_made["largest"]
        if not originals + largest:
            return []
        note = f"backed up to {self._folder}: {originals:,} originals, {largest:,} largest renditions"
        return [f"{note} ({self._smaller})" if self._smaller else note]

    def close(self) -> None:
        """Close the index."""
        self._file.close()


def _safe_name(name: str) -> str:
    """Return a name that any file system accepts, with its extension.

    The index has the original.
    """
    return _UNSAFE.sub("_", name)[-LONGEST_NAME:].lstrip(".") or "_"
