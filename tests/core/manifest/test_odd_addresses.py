"""Addresses that a store will hardly take as they are meant: which, and how that is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from imageferry.core.manifest.fields import image_file_fault
from imageferry.core.manifest.odd_addresses import OddAddresses, oddity
from imageferry.core.model import Wanted, WantedProduct

from ...jobs.rehearsal import rehearsing

if TYPE_CHECKING:
    from pathlib import Path

ODD = {
    "https://h.example.com:8443/a.jpg": "port",
    "https://h.example.com:443/a.jpg": "port",
    "https://h.example.com/a/": "folder",
    "https://h.example.com/": "folder",
    "https://h.example.com/product_images/?c=1": "folder",
    "https://h.example.com/products/1/images/371/name.1727291691.386.513.jpg?c=1": "reduced",
    "https://h.example.com/s-x/images/stencil/1280x1280/products/1/2/a__12345.1727291691.jpg": "reduced",
    "https://h.example.com/s-x/images/stencil/500w/products/1/2/a__12345.1727291691.jpg": "reduced",
    "import:product_images/import/a.jpg": "repeated",
}
USUAL = [
    "https://h.example.com/a.jpg",
    "https://h.example.com/a:b.jpg",
    "https://h.example.com/a.jpg?path=/x/",
    "https://h.example.com/s-x/images/stencil/original/products/1/2/a__12345.1727291691.jpg",
    "https://h.example.com/v1.2.3/a.jpg",
    "pictures/a.10.20.jpg",
    "import:a.jpg",
]


@pytest.mark.parametrize(("image_file", "kind"), ODD.items(), ids=ODD)
def test_an_odd_address_is_known_as_what_it_is(image_file: str, kind: str) -> None:
    """A port, a folder, a reduced copy, the import folder twice."""
    assert oddity(image_file) == kind


@pytest.mark.parametrize("image_file", USUAL)
def test_a_usual_address_is_not_odd(image_file: str) -> None:
    """No warning without reason."""
    assert oddity(image_file) is None


def test_each_kind_is_said_once_with_its_count() -> None:
    """However many there are: a sentence a kind, and it names the first of them."""
    odd = OddAddresses()
    images = [Wanted(f"https://h:81/{n}.jpg") for n in range(1_200)] + [Wanted("https://h/a/")]
    for _ in range(2):
        assert len(list(odd.watch([WantedProduct(1, images[:600], 1), WantedProduct(2, images[600:], 2)]))) == 2
    notes = odd.warnings()
    assert len(notes) == 2
    assert notes[0].startswith('1,200 addresses name a port: "https://h:81/0.jpg", ')
    assert " and 1,197 more. " in notes[0]
    assert notes[1].startswith('1 address ends in a slash: "https://h/a/". ')


@pytest.mark.parametrize("path", ["/product_images/a/123/b.jpg", "/content/b.jpg"])
def test_a_path_of_the_storefront_is_refused_with_what_it_is(path: str) -> None:
    """It is no file here; the error says so and what to do."""
    assert "relative to the storefront" in str(image_file_fault(path))


def test_a_run_warns_and_goes_on(tmp_path: Path) -> None:
    """The images are made; the output says what is odd, once."""
    with rehearsing(tmp_path, products=2) as store:
        path = store.folder / "m.jsonl"
        rows = [{"product_id": n, "images": [{"image_file": f"https://h.example.com:8443/{n}.jpg"}]} for n in (1, 2)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        result = store.run("sync", path)
        assert result.code == 0
        assert (result.out + result.err).count("2 addresses name a port") == 1
        assert store.sandbox.shop.catalogue.total_images == 2
        assert "2 addresses name a port" in " ".join(store.run("plan", path, "--json").record["notes"])
