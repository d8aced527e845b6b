"""One product's failures, and the writes that the store refused in this run: none of them is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checkpoint.states import State
from ..diff.changes import Changes
from ..plan.failures import image_failure
from .remaining import MAX_PASSES, unfinished

if TYPE_CHECKING:
    from ..checkpoint.states import ProductLedger
    from ..errors import RefusedError
    from ..plan.batch import ProductPlan
    from ..results import Failure


class Rejections:
    """The failures of one product and its refused writes, in the memory of one process.

    `creates` are manifest rows. `updates` and `unconfirmed_deletes` map image ids to refusals that the next listing
    judges. `frozen_images` are image ids that get no more updates.
    """

    def __init__(self, batch: ProductPlan, ledger: ProductLedger) -> None:
        self._batch = batch
        self._ledger = ledger
        self.failures: list[Failure] = list(batch.failures)
        self.creates: set[int] = set()
        self.updates: dict[int, RefusedError] = {}
        self.unconfirmed_deletes: dict[int, RefusedError] = {}
        self.frozen_images: set[int] = set()

    def hold_deletes(self) -> bool:
        """Return True if anything failed: then nothing of the product is deleted."""
        return bool(self.failures or self.creates or self.updates)

    def fail_image(self, image_id: int | None, reason: str, status: int | None = None) -> None:
        """Add the failure of one image."""
        self.failures.append(image_failure(self._batch, image_id, reason, status))

    def withdraw_create(self, row: int) -> None:
        """Remove the failure of a refused create whose image is there after all."""
        if row in self.creates:
            self.creates.discard(row)
            source = self._batch.product.images[row].image_file
            self.failures = [f for f in self.failures if f.image_file != source or f.image_id is not None]

    def judge(self, left: Changes) -> list[str]:
        """Return the refused updates that are no longer needed, as ledger keys.

        `left` are the changes that a fresh listing leaves to do. A refused write that is among them has failed.
        """
        for update in left.updates:
            error = self.updates.get(update.image_id)
            if error is not None:
                self.frozen_images.add(update.image_id)
                self.fail_image(update.image_id, error.reason, error.status)
        keys = [f"update:{image_id}" for image_id in self.updates.keys() - self.frozen_images]
        self.updates.clear()
        for image_id, error in self.unconfirmed_deletes.items():
            if self._ledger.changes[f"delete:{image_id}"].state != State.DONE:
                self.fail_image(image_id, error.reason, error.status)
        self.unconfirmed_deletes.clear()
        return [key for key in keys if self._ledger.changes[key].state == State.FAILED]

    def drop_rejected(self, left: Changes) -> None:
        """Take out of `left` the updates of frozen images, and all deletes if anything failed."""
        left.updates = [update for update in left.updates if update.image_id not in self.frozen_images]
        if self.failures:
            left.deletes = []

    def drop_repeated(self, left: Changes) -> None:
        """Take out of `left` the updates that the store confirmed more than `MAX_PASSES` times without effect; each fails."""
        repeated = [u for u in left.updates if self._ledger.confirmed(u.image_id) > MAX_PASSES]
        if repeated:
            self.failures += unfinished(self._batch, self._ledger, Changes(updates=repeated))
            self.frozen_images |= {update.image_id for update in repeated}
            left.updates = [update for update in left.updates if update not in repeated]
            left.deletes = []
