"""Meaning of a 403.

The credentials, or one product only (contract, exit code 5). Pure; `now` is an argument.

A 403 can mean a missing scope, a platform limit, or a product that this account may not change. Once the token has
worked, a 403 about one product concerns that product. For a read some time after the last success, a plain read of the
store decides: if that is refused as well, it is the credentials. reconcile/rejection_streak.py counts refused writes
of several products in a row.
"""

from __future__ import annotations

import math
from enum import Enum

RECENT = 5.0
"""Seconds after a success during which the token is known to work."""
MAX_REFUSED_READS = 3
"""Refused reads in a row after which a plain read decides, even right after a success."""


class ForbiddenScope(Enum):
    """The scope of a 403."""

    CREDENTIALS = "the credentials"
    PRODUCT = "this product"
    UNKNOWN = "a plain read of the store decides"


class TokenPermissions:
    """The token's permissions, as shown by the store's responses."""

    def __init__(self) -> None:
        self._good_at = -math.inf
        self._refused_reads = 0

    def granted(self, now: float) -> None:
        """Record a successful call: the token works."""
        self._good_at = now
        self._refused_reads = 0

    def refused(self, now: float, *, own: bool, write: bool) -> ForbiddenScope:
        """Return the scope of a 403.

        `own` if the call was about one product.
        """
        if not own or math.isinf(self._good_at):
            return ForbiddenScope.CREDENTIALS
        if write:
            return ForbiddenScope.PRODUCT
        self._refused_reads += 1
        recent = now - self._good_at <= RECENT
        return ForbiddenScope.PRODUCT if recent and self._refused_reads < MAX_REFUSED_READS else ForbiddenScope.UNKNOWN
