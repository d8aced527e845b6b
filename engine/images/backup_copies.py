"""Backup copies of the images that a run deleted, for undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.undo.reversal import BackupCopy
from .backup_index import best, read_index

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from ..core.checkpoint.states import ProductLedger
    from ..core.plan.batch import ProductPlan
    from ..disk.interface import Disk
    from .backup_index import BackupEntry as Entry


class BackupCopies:
    """The copies in a backup folder of one store's products.

    `named` is true if a person gave the folder.
    """

    def __init__(self, disk: Disk, folder: Path, store: str, products: Container[int], *, named: bool) -> None:
        """Read the index. Raises DiskError."""
        self._disk = disk
        self._folder = folder
        self._index = read_index(disk, folder, store, products)
        self._named = named
        self._images: dict[int, list[int]] = {}
        for product_id, image_id in self._index.pictures:
            self._images.setdefault(product_id, []).append(image_id)

    def of_deleted(self, plan: ProductPlan, ledger: ProductLedger) -> dict[int, BackupCopy]:
        """Return the copy of each image that the run deleted.

        The digest of each file is checked.

        Raises DiskError.
        """
        image_files = {image.image_id: image.image_file for image in plan.present}
        return {
            image_id: self._kept(plan.product_id, image_id, image_files.get(image_id, ""))
            for image_id in ledger.deleted
        }

    def all_files(self, product_id: int) -> dict[int, BackupCopy]:
        """Return all files ever kept of each of the product's images, intact or not."""
        return {
            image_id: BackupCopy(self._files(product_id, image_id)) for image_id in self._images.get(product_id, ())
        }

    def _files(self, product_id: int, image_id: int) -> tuple[str, ...]:
        return tuple(entry.file for entry in self._index.pictures.get((product_id, image_id), ()))

    def _kept(self, product_id: int, image_id: int, image_file: str) -> BackupCopy:
        entries = self._index.pictures.get((product_id, image_id), [])
        files = self._files(product_id, image_id)
        alike = [entry for entry in entries if entry.image_file == image_file]
        entry = best(self._disk, self._folder, alike)
        if entry is not None:
            return BackupCopy(files, entry.file, entry.rendition == "original")
        return BackupCopy(files, fault=self._fault(entries, alike))

    def _fault(self, entries: list[Entry], alike: list[Entry]) -> str:
        if alike:
            return f"its copy {alike[-1].file} is missing or damaged"
        if entries:
            return f"the copy with its id is of another image, {entries[-1].image_file}"
        if not self._named:
            return "no --backup folder was given"
        reason = f"{self._folder} has no copy of it"
        if self._index.others:
            reason += f", but copies of another store: {min(self._index.others)}"
        if self._index.damaged:
            reason += (
                f"; {len(self._index.damaged)} lines of its index are damaged, the first is {self._index.damaged[0]}"
            )
        return reason

    def is_intact(self, file: str, product_id: int) -> bool:
        """Return True if the file is intact.

        Raises DiskError.
        """
        images = self._images.get(product_id, ())
        entries = (entry for image_id in images for entry in self._index.pictures[product_id, image_id])
        return best(self._disk, self._folder, (entry for entry in entries if entry.file == file)) is not None
