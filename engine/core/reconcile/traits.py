"""Behaviour of the store, as observed in this run: renumbering, file names, listing lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..diff import renumbering

if TYPE_CHECKING:
    from ..diff.renumbering import RenumberingModel
    from ..model import StoredImage


@dataclass(slots=True)
class StoreTraits:
    """Observed behaviour of the store: renumbering, renamed files, listing lag in seconds.

    `delete_many`: it has the call that deletes all images of a product. All but the lag is kept in the checkpoint.
    """

    renumbering: RenumberingModel
    renames_files: bool = False
    listing_lag: float = 0.0
    delete_many: bool = True


class WriteRound:
    """The sort orders before a round of writes, and those writes; the next listing is compared with them."""

    def __init__(self, present: list[StoredImage]) -> None:
        self.orders = {image.image_id: image.sort_order for image in present}
        self.creates: list[tuple[int, int]] = []
        self.puts: list[tuple[int, int]] = []
        self.blurred = False

    def created(self, image_id: int, fields: dict[str, Any]) -> None:
        """Record a confirmed create; if the store chose its place, the round teaches nothing."""
        self.blurred = self.blurred or "sort_order" not in fields
        self.creates.append((image_id, fields.get("sort_order", 0)))

    def blur(self) -> None:
        """Record an update that may have happened any number of times: the round teaches nothing."""
        self.blurred = True

    def explains(self, present: list[StoredImage], model: RenumberingModel) -> bool:
        """Return True if an observed model predicts exactly this listing."""
        expected = renumbering.predict(self.orders, self.creates, self.puts, model)
        after = {image.image_id: image.sort_order for image in present}
        return model.update_seen and not self.blurred and {**expected, **after} == expected

    def infer(self, present: list[StoredImage], reading: RenumberingModel) -> RenumberingModel:
        """Return the renumbering model, corrected by the listing after this round."""
        if self.blurred:
            return reading
        after = {image.image_id: image.sort_order for image in present}
        return renumbering.infer(reading, self.orders, self.creates, self.puts, after)
