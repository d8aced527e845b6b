"""How the store behaves, as observed in this run: renumbering, file names, listing lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..diff import renumbering

if TYPE_CHECKING:
    from ..diff.renumbering import RenumberingModel
    from ..model import StoredImage


@dataclass(slots=True)
class StoreTraits:
    """What the store was seen to do: how it renumbers, whether it loses names, how many seconds its listings lag.

    `delete_many`: it has the call that deletes all images of a product. All but the lag is kept in the checkpoint.
    """

    renumbering: RenumberingModel
    renames_files: bool = False
    listing_lag: float = 0.0
    delete_many: bool = True


class WriteRound:
    """A gallery's sort orders before a round of writes, and the writes: what the next look learns from."""

    def __init__(self, present: list[StoredImage]) -> None:
        self.orders = {image.image_id: image.sort_order for image in present}
        self.creates: list[tuple[int, int]] = []
        self.puts: list[tuple[int, int]] = []
        self.blurred = False

    def created(self, image_id: int, fields: dict[str, Any]) -> None:
        """A create was confirmed; where the store chose its place, nothing can be learned."""
        self.blurred = self.blurred or "sort_order" not in fields
        self.creates.append((image_id, fields.get("sort_order", 0)))

    def blur(self) -> None:
        """A PUT may have happened or not, or twice: nothing can be learned of what it moved."""
        self.blurred = True

    def explains(self, present: list[StoredImage], model: RenumberingModel) -> bool:
        """Whether the listing shows all of this round, by a model that is more than the documentation's."""
        expected = renumbering.predict(self.orders, self.creates, self.puts, model)
        after = {image.image_id: image.sort_order for image in present}
        return model.update_seen and not self.blurred and {**expected, **after} == expected

    def infer(self, present: list[StoredImage], reading: RenumberingModel) -> RenumberingModel:
        """The reading, with what the listing after this round tells of the store."""
        if self.blurred:
            return reading
        after = {image.image_id: image.sort_order for image in present}
        return renumbering.infer(reading, self.orders, self.creates, self.puts, after)
