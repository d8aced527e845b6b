"""Whom a 403 concerns: the credentials, or one product alone (contract, exit code 5). Pure; `now` is an argument.

403 has more meanings than a missing scope: a platform limit, a product that this account may not touch. Once the token
has worked, a 403 about one product is that product's own. On a read it is asked about where the last success is some
time ago: where a plain read of the store is refused as well, it is the credentials'. Writes of several products in a row
are counted in refusals.py.
"""

from __future__ import annotations

import math
from enum import Enum

RECENTLY = 5.0
"""Seconds for which a success shows that the token works."""
SEVERAL_READS = 3
"""So many refused reads in a row are asked about, however recent the last success is."""


class Whose(Enum):
    """Whom a 403 concerns."""

    CREDENTIALS = "the credentials"
    PRODUCT = "this product"
    ASK = "a plain read of the store tells"


class Rights:
    """What the store's answers tell of the token's rights."""

    def __init__(self) -> None:
        self._good_at = -math.inf
        self._refused_reads = 0

    def granted(self, now: float) -> None:
        """A call went well: the token works."""
        self._good_at = now
        self._refused_reads = 0

    def refused(self, now: float, *, own: bool, write: bool) -> Whose:
        """Judge a 403; `own`: the call was about one product, and not about the whole store."""
        if not own or math.isinf(self._good_at):
            return Whose.CREDENTIALS
        if write:
            return Whose.PRODUCT
        self._refused_reads += 1
        recent = now - self._good_at <= RECENTLY
        return Whose.PRODUCT if recent and self._refused_reads < SEVERAL_READS else Whose.ASK
