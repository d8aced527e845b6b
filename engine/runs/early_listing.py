"""Listings that come so soon after a former run that they may not show yet what it wrote: its images are asked for, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.checkpoint.states import ProductLedger
from ..core.errors import CheckpointError, MissingError
from ..core.reconcile.early import to_confirm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..core.diff.changes import Difference
    from ..core.identities import IdentityMap
    from ..core.model import StoredImage
    from ..disk.checkpoint.file import Checkpoint

_READABLE = 32 * 1024 * 1024
"""A journal of more bytes takes too long to read for what it saves; then any image may have been written."""


def former_writes(checkpoint: Checkpoint) -> Callable[[int], ProductLedger | None]:
    """What the former run did, product by product; None where its history tells nothing, or is too long."""
    try:
        told = checkpoint.history() if checkpoint.history_size() <= _READABLE else None
    except CheckpointError:
        told = None
    if told is None:
        return lambda _: None
    courses, nothing = told[1].ledger.courses, ProductLedger()
    return lambda product_id: courses.get(product_id, nothing)


async def confirm(
    present: list[StoredImage],
    memory: IdentityMap,
    former: ProductLedger | None,
    compare: Callable[[list[StoredImage]], Difference],
    image: Callable[[int], Awaitable[StoredImage]],
) -> tuple[list[StoredImage], Difference]:
    """The listing and its difference, once every image that would be written for what may be old was read itself.

    One that is gone is taken off the listing; one that is remembered is left to its write.
    """
    known = {known[0] for known in memory.values()}
    images = {each.image_id: each for each in present}
    found, asked = compare(present), set[int]()
    while suspects := to_confirm(found, known, former) - asked:
        asked |= suspects
        for image_id in sorted(suspects):
            try:
                now = await image(image_id)
            except MissingError:
                if image_id not in known:
                    del images[image_id]
            else:
                now.url = images[image_id].url
                images[image_id] = now
        present = list(images.values())
        found = compare(present)
    return present, found
