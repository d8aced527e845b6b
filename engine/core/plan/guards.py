"""What a run refuses to do by itself. Every refusal says what was seen, what is allowed, and how to allow more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SettingsError, UnsafePlanError

if TYPE_CHECKING:
    from .summary import Summary

SHARE = 0.30
"""The default of --max-deletes, and what a manifest or a listing may lose between two runs (contract, Settings)."""
FLOOR = 10
"""Below so many images a share says nothing (contract, Settings)."""
WRONG_STORE_AT = 25
WRONG_STORE_FROM = 5
"""So many products that all answer 404 mean the wrong store (contract, exit code 3)."""


@dataclass(slots=True, frozen=True)
class MaxDeletes:
    """--max-deletes: either so many images, or a share of those that the named products have."""

    count: int | None = None
    share: float = SHARE

    @classmethod
    def parse(cls, text: str) -> MaxDeletes:
        """`N` or `N%`.

        Raises SettingsError on anything else.
        """
        number, percent, rest = text.strip().partition("%")
        if rest or not number.isascii() or not number.isdigit() or (percent and int(number) > 100):
            raise SettingsError(f"--max-deletes: {text[:40]!r} is neither a count such as 200 nor a share such as 30%")
        return cls(share=int(number) / 100) if percent else cls(count=int(number))


@dataclass(slots=True, frozen=True)
class PriorCounts:
    """What the finished run before this one wanted: images, and whether that was the whole manifest."""

    wanted: int


def check_guards(
    summary: Summary,
    *,
    max_deletes: MaxDeletes,
    prior: PriorCounts | None = None,
    allow_shrink: bool = False,
    allow_missing: bool = False,
) -> None:
    """Let the plan pass, or refuse it before its first write.

    Raises UnsafePlanError with the figures and the flag that would allow it.
    """
    check_right_store(summary.products, summary.missing)
    if prior is not None and not allow_shrink:
        _check_shrink(summary, prior)
    if not allow_missing:
        _check_missing(summary)
    _check_deletes(summary, max_deletes)


def check_right_store(products: int, missing: int) -> None:
    """Refuse when all of the first products are unknown to the store.

    Raises UnsafePlanError from 25 products on, or at the end of a manifest of 5 to 24.
    """
    if products == missing and missing >= WRONG_STORE_FROM:
        raise UnsafePlanError(
            f"the store has none of the first {missing} products of the manifest (all answered 404): this looks like the "
            "wrong store, or the manifest of another one. Check --store-hash and the product ids; nothing was written."
        )


def _check_shrink(summary: Summary, former: PriorCounts) -> None:
    if former.wanted >= FLOOR and summary.wanted < former.wanted * (1 - SHARE):
        raise UnsafePlanError(
            f"the manifest wants {summary.wanted} images, the finished run before it wanted {former.wanted}: over 30% are gone, "
            "as after a broken export. If that is meant, give --allow-shrink; nothing was written."
        )


def listing_incomplete(summary: Summary) -> bool:
    """Whether a listing lacks so much of what is known, or every product, that it is rather the store's fault than news."""
    return _lacks_too_much(summary) or 0 < summary.products == summary.missing


def _lacks_too_much(summary: Summary) -> bool:
    return summary.known >= FLOOR and summary.lost > summary.known * SHARE


def _check_missing(summary: Summary) -> None:
    if _lacks_too_much(summary):
        products = f" (products that answered 404: {summary.missing})" if summary.missing else ""
        raise UnsafePlanError(
            f"the store no longer lists {summary.lost} of the {summary.known} images that the checkpoint knows{products}: over "
            "30% are gone, as from a sick store. If they were deleted on purpose, give --allow-missing once: that run makes "
            "the missing images again, and forgets the products that are gone. Nothing was written."
        )


def _check_deletes(summary: Summary, allowed: MaxDeletes) -> None:
    deletes = summary.deletes - summary.replaced
    if allowed.count is not None:
        limit, said = allowed.count, f"{allowed.count} are allowed (--max-deletes {allowed.count})"
    elif summary.existing < FLOOR:
        return
    else:
        limit = int(summary.existing * allowed.share + 1e-9)
        said = f"{allowed.share:.0%} of their {summary.existing}, that is {limit}, are allowed"
    if deletes > limit:
        raise UnsafePlanError(
            f"the plan deletes {deletes} images of the products that the manifest names; {said}. "
            f"Look at it with `imageferry plan`; if it is meant, give --max-deletes {deletes}. Nothing was written."
        )
