"""Refusals in a row that concern the store or the account, and therefore stop the run.

What an image or a product is refused for itself (a dead source, a wrong type, a 404, a 403 on one product) never stops a
run, however many there are. What stops it (contract, exit codes 1 and 5): refusals whose status or words concern the
store or the account, from several products in a row; and 403 on writes of several products in a row.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..errors import StoreError

SAME_REJECTIONS = 50
"""Creates refused in a row, for the same reason that concerns the store or the account, that stop the run."""
SEVERAL = 3
"""The minimum number of products that those creates belong to."""
FORBIDDEN_PRODUCTS = 10
"""Products in a row with a write answered 403 that stop the run: the token may not write."""

# Payment, method, representation, legal reasons, not implemented, HTTP version, storage; a redirect is the address's.
_OF_THE_STORE = frozenset({402, 405, 406, 411, 415, 426, 451, 501, 505, 507, 511})
_WORDS = re.compile(
    r"not supported by this resource|cannot be written to|requires? authori[sz]ation|read.only"
    r"|\b(?:this|your) store\b|\b(?:this|your|the) (?:account|plan|subscription)\b"
    r"|\bstorage\b|\bdisk space\b|\bsuspended\b|\bmaintenance\b",
    re.IGNORECASE,
)


def concerns_store(status: int, reason: str) -> bool:
    """Return True if a refusal concerns the store or the account, not one image or product."""
    if status in {404, 409, 423}:
        return False
    return status in _OF_THE_STORE or 300 <= status < 400 or _WORDS.search(_own_words(reason)) is not None


def _own_words(reason: str) -> str:
    """Return the reason without its quotations: an address or a file name may hold any word."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\bhttps?://\S+", "''", reason)


class Refusals:
    """Counts refusals of writes in a row. `failed_before`: products that an earlier process or run saw fail."""

    def __init__(self, failed_before: Collection[int] = ()) -> None:
        self._failed_before = failed_before
        self._same = ""
        self._count = 0
        self._products: set[int] = set()
        self._forbidden: set[int] = set()

    def accepted(self) -> None:
        """Reset the counts: the store has accepted a write."""
        self._count = 0
        self._products.clear()
        self._forbidden.clear()

    def of_create(self, product_id: int, error: StoreError) -> str | None:
        """Count a refused create; return the reason to stop the run, else None."""
        if not concerns_store(error.status, error.reason):
            return None
        same = f"{error.status} {error.reason.partition(':')[0].partition(' The ')[0]}"
        if same != self._same:
            self._same, self._count = same, 0
            self._products.clear()
        self._count += 1
        self._products.add(product_id)
        if self._count < SAME_REJECTIONS or len(self._products) < SEVERAL:
            return None
        return (
            f"stopped: the store refused {self._count} creates in a row in the same way ({error.status}: {error.reason}). "
            "Once the cause is gone, the same command goes on from here."
        )

    def of_write(self, product_id: int, error: StoreError) -> str | None:
        """Count a refused write; return the reason to take the credentials as refused, else None.

        A product that failed before does not count: it may be the very product whose writes are always refused.
        """
        if error.status != 403:
            self._forbidden.clear()
            return None
        if product_id not in self._failed_before:
            self._forbidden.add(product_id)
        if len(self._forbidden) < FORBIDDEN_PRODUCTS:
            return None
        return (
            f"writes to {len(self._forbidden)} products in a row were refused: {error.reason}. "
            "Check that the token's scope is Products: modify"
        )
