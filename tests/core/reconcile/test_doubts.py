"""Twins of creates that were sent again, told in the run after."""

import pytest

from imageferry.core.model import StoredImage, Wanted, WantedProduct
from imageferry.core.reconcile.duplicates import late_duplicates

SIGNED = "https://cdn.example.com/cup.jpg?w=800&sig={}"


def stored(image_id):
    return StoredImage(image_id, "c/001/cup__12345.jpg", "", 0, False)


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ([SIGNED.format("1" * 32)], {0: [8]}),
        ([SIGNED.format("2" * 32)], {0: [8]}),
        ([SIGNED.format("2" * 32), SIGNED.format("3" * 32)], {}),
        ([SIGNED.format("2" * 32).replace("800", "200")], {}),
        (["https://cdn.example.com/mug.jpg"], {}),
    ],
    ids=["same", "new signature", "one of two", "another size", "another"],
)
def test_a_late_twin_is_known_under_a_new_signature_too(asked, rows):
    """A source retried under another signature is the same source, unless it is ambiguous."""
    product = WantedProduct(2, [Wanted(source) for source in asked], 1)
    resent = {SIGNED.format("1" * 32): [5]}
    found = late_duplicates(product, [stored(5), stored(7), stored(8)], {7}, resent, renames_files=False)
    assert {row: [image.image_id for image in images] for row, images in found.items()} == rows


def test_a_late_twin_bears_the_name_that_the_former_signature_gave_it():
    """On a store that makes the query a part of a name without an extension, tonight's signature names another image."""
    former, asked = (f"https://cdn.example.com/media?sig={digit * 32}" for digit in "12")
    twin = StoredImage(8, f"c/001/media_sig_{'1' * 32}__12345.jpg", "", 0, False)
    product = WantedProduct(2, [Wanted(asked)], 1)
    found = late_duplicates(product, [stored(7), twin], {7}, {former: [7]}, renames_files=False)
    assert found == {0: [twin]}
