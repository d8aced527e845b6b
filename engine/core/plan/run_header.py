"""The header of a checkpoint: what it says of the last run, and what a run that is given again for what failed has to list. Pure.

`{}` is the header where there is no checkpoint yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch import Header

FIELDS: dict[str, type | tuple[type, ...]] = {
    "run": str,
    "command": str,
    "plan": str,
    "state": str,
    "finished_at": (int, float),
    "wanted": (int, type(None)),
    "changed": bool,
    "report": dict,
    "reading": dict,
    "resent": dict,
    "history": (str, type(None)),
    "failed": list,
    "unsure": list,
    "selection": str,
    "files": str,
    "listed_at": (int, float),
}
"""What a header's fields must be for the engine to go by them."""
RETRY_WITHIN = 3600.0
"""Seconds after a listing within which such a run takes the rest of it as it was."""


def failed(header: dict[str, Any]) -> frozenset[int]:
    """The products of which anything failed."""
    return frozenset(header.get("failed", ()))


def unsure(header: dict[str, Any]) -> frozenset[int]:
    """The products in which an update was sent again."""
    return frozenset(header.get("unsure", ()))


def to_retry(header: dict[str, Any], asked: Header, images: int | None) -> frozenset[int]:
    """The products to be listed; empty where all have to be.

    The others were as asked when the last run had listed them, no longer than RETRY_WITHIN ago, and the store still has
    as many `images` as at its end. Those of which a twin or an earlier sending of an update may still come are looked at as well.
    """
    same = all(header.get(name) == getattr(asked, name) for name in ("mode", "digest", "selection", "files"))
    young = 0 <= asked.made_at - header.get("listed_at", 0.0) < RETRY_WITHIN
    untouched = images is not None and images == header.get("report", {}).get("images_after")
    if not (header.get("state") == "finished" and same and young and untouched) or not failed(header):
        return frozenset()
    return failed(header) | unsure(header) | {int(product_id) for product_id in header.get("resent", {})}
