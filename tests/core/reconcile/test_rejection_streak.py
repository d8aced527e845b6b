"""Which refusals are an image's or a product's own, and which end a run."""

from __future__ import annotations

import pytest

from imageferry.core.errors import RefusedError
from imageferry.core.quota.permissions import MAX_REFUSED_READS, RECENT, ForbiddenScope, TokenPermissions
from imageferry.core.reconcile.rejection_streak import FORBIDDEN_PRODUCTS, SAME_REJECTIONS, Refusals, concerns_store

DEAD = "The field 'image_file' is invalid. The resource at 'https://x.example/storage/this account.jpg' could not be downloaded and may be invalid."
GONE = "The field 'image_file' is invalid. The file 'your store.png' is missing or is not usable by this resource."


@pytest.mark.parametrize(
    ("status", "reason", "store"),
    [
        (400, DEAD, False),
        (400, GONE, False),
        (400, "A product can have at most 1000 images.", False),
        (413, "too big", False),
        (422, "no picture", False),
        (404, "The requested resource was not found.", False),
        (409, "Another request is changing this product.", False),
        (403, "Authentication Required", False),
        (400, "The field 'image_url' is not supported by this resource.", True),
        (400, "The field 'id' cannot be written to. Please remove it from your request before trying again.", True),
        (400, "This store has reached its limit of images.", True),
        (422, "Your plan does not include this.", True),
        (402, "Payment required", True),
        (405, "The method 'POST' is not supported by this resource.", True),
        (415, "no reason given", True),
        (501, "no reason given", True),
        (507, "Insufficient storage", True),
        (301, "the API address redirects to 'https://elsewhere'", True),
    ],
)
def test_status_and_words_tell_whom_a_refusal_concerns(status: int, reason: str, store: bool) -> None:  # a table
    """A dead source and a wrong type are the image's, whatever words its address holds; payment, method and storage the store's."""
    assert concerns_store(status, reason) is store


def test_dead_sources_never_end_a_run() -> None:
    """A thousand of them in a row, in as many products."""
    refusals = Refusals()
    assert not any(refusals.of_create(n, RefusedError(DEAD, 400)) for n in range(1000))


def test_the_same_refusal_of_the_store_ends_it() -> None:
    """After fifty in a row over several products, and the sentence says which; one product alone never does."""
    full = RefusedError("Insufficient storage", 507)
    refusals = Refusals()
    told = [refusals.of_create(n // 10, full) for n in range(SAME_REJECTIONS)]
    assert told[:-1] == [None] * (SAME_REJECTIONS - 1)
    assert "50 creates in a row in the same way (507: Insufficient storage)" in (told[-1] or "")
    alone = Refusals()
    assert not any(alone.of_create(1, full) for _ in range(2 * SAME_REJECTIONS))


def test_an_accepted_write_begins_the_count_anew() -> None:
    """In a row means that nothing went well in between."""
    full, forbidden = RefusedError("Insufficient storage", 507), RefusedError("no", 403)
    refusals = Refusals()
    for n in range(10 * SAME_REJECTIONS):
        if n % (FORBIDDEN_PRODUCTS - 1) == 0:
            refusals.accepted()
        assert refusals.of_create(n, full) is None
        assert refusals.of_write(n, forbidden) is None


def test_403_on_writes_of_several_products_in_a_row_is_the_credentials() -> None:
    """Each product counts once; one that failed before does not count, lest the same products end every night."""
    error = RefusedError("Authentication Required", 403)
    refusals = Refusals(failed_before=range(100, 200))
    assert not any(refusals.of_write(n, error) for n in range(100, 200))
    assert not any(refusals.of_write(1, error) for _ in range(50))
    told = [refusals.of_write(n, error) for n in range(1, FORBIDDEN_PRODUCTS + 1)]
    assert told[:-1] == [None] * (FORBIDDEN_PRODUCTS - 1)
    assert "Products: modify" in (told[-1] or "")


def test_another_refusal_of_a_write_shows_that_writing_is_allowed() -> None:
    """A 400 after a 403: the token may write."""
    refusals = Refusals()
    for n in range(100):
        refused = RefusedError(DEAD, 400) if n % 5 == 0 else RefusedError("no", 403)
        assert refusals.of_write(n, refused) is None


def test_a_403_before_the_token_has_worked_is_the_credentials() -> None:
    """The first call, or any before the first success; and any about the whole store."""
    rights = TokenPermissions()
    assert rights.refused(0.0, own=True, write=True) is ForbiddenScope.CREDENTIALS
    rights.granted(1.0)
    assert rights.refused(1.0, own=False, write=False) is ForbiddenScope.CREDENTIALS


def test_a_403_after_the_token_has_worked_is_the_products_own() -> None:
    """On a write at once; on a read where a success is recent, else a plain read is asked."""
    rights = TokenPermissions()
    rights.granted(1.0)
    assert rights.refused(1000.0, own=True, write=True) is ForbiddenScope.PRODUCT
    assert rights.refused(1.0 + RECENT, own=True, write=False) is ForbiddenScope.PRODUCT
    assert rights.refused(1.1 + RECENT, own=True, write=False) is ForbiddenScope.UNKNOWN


def test_refused_reads_in_a_row_are_asked_about() -> None:
    """However recent the last success: the token may have lost its rights a moment ago."""
    rights = TokenPermissions()
    rights.granted(1.0)
    told = [rights.refused(1.0, own=True, write=False) for _ in range(MAX_REFUSED_READS)]
    assert told == [ForbiddenScope.PRODUCT] * (MAX_REFUSED_READS - 1) + [ForbiddenScope.UNKNOWN]
    rights.granted(1.0)
    assert rights.refused(1.0, own=True, write=False) is ForbiddenScope.PRODUCT
