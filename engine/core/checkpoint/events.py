"""The events of a journal: their fields, and the checks when one is read back."""

from __future__ import annotations

from typing import Any

from ..errors import CheckpointError

Event = dict[str, Any]


def _check_sent(key: str, event: Event) -> None:
    """What a look will have to go by must be there, in its shape."""
    verb, _, number = key.partition(":")
    if verb == "delete":
        sound = number.isdigit()
    elif verb in {"create", "update"}:
        fields = event.get("fields")
        named = isinstance(fields, dict) and fields.keys() <= _FIELDS
        sound = number.isdigit() and (named or (verb == "create" and fields is None))
    else:
        ids = event.get("image_ids")
        sound = verb == "empty" and isinstance(ids, list) and all(type(image_id) is int for image_id in ids)
    if not sound:
        raise CheckpointError(f"what was sent is not told ({key})")


_FIELDS = frozenset({"description", "sort_order", "is_thumbnail"})


_OUTCOMES = frozenset({"sent", "confirmed", "refused", "deferred", "lost", "found", "absent"})


def sent(product_id: int, change: str, **more: Any) -> Event:  # `more` is what undo will need
    """The intent to send one change, journalled before it goes, with the fields that were there before."""
    return {"event": "sent", "product_id": product_id, "change": change, **more}


def outcome(kind: str, product_id: int, change: str, **more: Any) -> Event:
    """What came of a change: `confirmed`, `refused`, `deferred`, `lost`, `found` or `absent`."""
    return {"event": kind, "product_id": product_id, "change": change, **more}
