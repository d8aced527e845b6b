"""Fast check that a product needs no change.

Most products of a nightly run pass it.

`is_unchanged` never says yes if `compare` would find a change; if in doubt it returns None and `compare` decides
(held by tests/core/diff/test_unchanged.py; measured in benchmarks/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..identities import IdentityMap
    from ..model import StoredImage, Wanted

_BELOW_ALL = -(1 << 31) - 1


def is_unchanged(images: list[Wanted], present: list[StoredImage], identities: IdentityMap) -> IdentityMap | None:
    """Return the known images if nothing is to be done.

    None if only `compare` can tell.
    """
    if len(images) != len(present):
        return None
    return _by_known_id(images, present, identities) if identities else _by_name(images, present)


def _by_known_id(images: list[Wanted], present: list[StoredImage], identities: IdentityMap) -> IdentityMap | None:
    """Check that every image is known, present, of the wanted version and unchanged."""
    if len(identities) != len(images):
        return None
    left = {image.image_id: image for image in present}
    last = _BELOW_ALL
    for wanted in images:
        known = identities.get(wanted.image_file)
        if known is None or wanted.version != known[1] or len(known) > 2:
            return None  # the store changed a field: `compare` decides
        stored = left.pop(known[0], None)
        if stored is None:
            return None
        if (order := wanted.sort_order) is not None:
            if order != stored.sort_order or order <= last:
                return None
            last = order
        if (text := wanted.description) is not None and text != stored.description:
            return None
        if (flag := wanted.is_thumbnail) is not None and flag is not stored.is_thumbnail:
            return None
    return identities


def _by_name(images: list[Wanted], present: list[StoredImage]) -> IdentityMap | None:
    """Check that rows and images agree one by one, by plain names.

    Nothing is known yet.
    """
    learned: IdentityMap = {}
    names = set()
    last = _BELOW_ALL
    for wanted, stored in zip(images, present, strict=True):
        if (order := wanted.sort_order) is not None:
            if order != stored.sort_order or order <= last:
                return None
            last = order
        if (text := wanted.description) is not None and text != stored.description:
            return None
        if (flag := wanted.is_thumbnail) is not None and flag is not stored.is_thumbnail:
            return None
        source = wanted.image_file
        body = _plain_name(source, stored.image_file)
        if body is None:
            return None
        names.add(body)
        learned[source] = (stored.image_id, wanted.version)
    return learned if len(names) == len(learned) == len(images) else None


def _plain_name(source: str, stored: str) -> str | None:
    """Return BODY if `stored` is `x/000/BODY__00000.EXT` and `source` ends in `/BODY.EXT`."""
    cut = stored.rfind("__")
    body = stored[6:cut]
    digits = stored[cut + 2 : cut + 7]
    if cut < 7 or stored[5] != "/" or not (digits.isdigit() and digits.isascii()):
        return None
    # The dot right after them shows that there are exactly five digits.
    if not source.endswith(f"/{body}{stored[cut + 7 :]}") or stored[cut + 7 : cut + 8] != ".":
        return None
    if "__" in body or "%" in source or "?" in source or "#" in source or (len(body) > 40 and body[40] == "_"):
        return None
    return body
