"""What a file is called once it is stored (store-api.md 1.5)."""

import re

import pytest

from imageferry.jobs.sandbox.shop.file_names import mix, source_name, stored_name
from imageferry.jobs.sandbox.shop.rules import Draft, Picture

from .test_shop import shop_with

NAMES = {
    "kept": ("England_vs_South_Africa.jpg", "England_vs_South_Africa", "jpg"),
    "spaces and brackets": ("download (2).png", "download__2_", "png"),
    "unicode": ("Äpfel süß.jpg", "_pfel_s__", "jpg"),
    "dots": ("a.b.c.jpeg", "a.b.c", "jpeg"),
    "capital extension": ("IMAG0729.JPG", "IMAG0729", "JPG"),
    "stored before": ("foglinen_1024x1024__83011.jpg", "foglinen_1024x1024__83011", "jpg"),
    "no extension": ("photo", "photo", "jpg"),
    "extension of a program": ("picture.php", "picture", "jpg"),
    "nothing": ("", "image", "jpg"),
    "very long": ("x" * 250 + ".png", "x" * 190, "png"),
}


@pytest.mark.parametrize(("name", "stem", "extension"), NAMES.values(), ids=NAMES)
def test_a_stored_name_keeps_what_is_safe(name, stem, extension):
    """Case stays, unsafe characters become underscores, five digits follow."""
    stored = stored_name(name, "jpg", mix(0, 1))
    assert re.fullmatch(rf"[a-z]/\d{{3}}/{re.escape(stem)}__\d{{5}}\.{extension}", stored)
    assert len(stored) <= 255


COMPLETED = {
    "replaced": ("photo.jfif", "", r"photo__\d{5}\.jpg"),
    "appended": ("photo.jfif", "", r"photo\.jfif__\d{5}\.jpg"),
    "underscored": ("photo.jfif", "", r"photo_jfif__\d{5}\.jpg"),
    "kept": ("photo.jfif", "", r"photo__\d{5}\.jfif"),
    "queried": ("media", "id=7", r"media_id_7__\d{5}\.jpg"),
}


@pytest.mark.parametrize(
    ("way", "name", "query", "pattern"), [(way, *each) for way, each in COMPLETED.items()], ids=COMPLETED
)
def test_a_name_without_an_extension_of_an_image_is_completed_as_switched(way, name, query, pattern):
    """Five readings; a name that has such an extension is the same in all of them."""
    assert re.fullmatch(rf"[a-z]/\d{{3}}/{pattern}", stored_name(name, "jpg", 1, completed=way, query=query))
    assert stored_name("a.png", "jpg", 1, completed=way, query=query) == stored_name("a.png", "jpg", 1)


def test_a_name_is_cut_as_switched():
    """So many letters of the source's name stay."""
    assert "/xxxx__" in stored_name("x" * 250 + ".png", "jpg", 1, longest=4)


def test_a_byte_can_be_an_underscore_each():
    """Where the store doesn't know UTF-8, an umlaut is two."""
    assert "/_pfel__" in stored_name("Äpfel.jpg", "jpg", 1)
    assert "/__pfel__" in stored_name("Äpfel.jpg", "jpg", 1, by_bytes=True)


SOURCES = {
    "plain": ("https://a.example/b/c.jpg", "c.jpg"),
    "query": ("https://cdn.example/c.jpg?v=1/2.png#x", "c.jpg"),
    "encoded": ("https://a.example/a%20b%2Fc%C3%A4.jpg", "cä.jpg"),
    "folder": ("https://a.example/b/", ""),
    "bare host": ("https://a.example", ""),
    "import": ("spring/c.jpg", "c.jpg"),
    "import keeps percents": ("c%20d.jpg", "c%20d.jpg"),
}


@pytest.mark.parametrize(("source", "name"), SOURCES.values(), ids=SOURCES)
def test_the_name_is_the_end_of_the_source(source, name):
    """Decoded for URLs, without the query."""
    assert source_name(source) == name


STYLES = {
    "kept": (r"photo", r"photo"),
    "prefixed": (r"photo", r"[0-9a-f]{40}_photo"),
    "lost": (r"[0-9a-z]{20}", r"[0-9a-z]{20}"),
}


@pytest.mark.parametrize(("style", "fetched", "uploaded"), [(name, *each) for name, each in STYLES.items()], ids=STYLES)
def test_names_are_kept_prefixed_or_lost(style, fetched, uploaded):
    """The three things that have been seen to become of a name."""
    shop = shop_with(names=style)
    for is_upload, stem in ((False, fetched), (True, uploaded)):
        made = shop.create(1, Draft(name="photo.jpg", picture=Picture("made:x", "jpg"), uploaded=is_upload), 0)
        assert re.fullmatch(rf"[a-z]/\d{{3}}/{stem}__\d{{5}}\.jpg", made.image_file)


def test_no_name_is_given_twice():
    """A thousand images of one name have a thousand names."""
    shop = shop_with()
    assert (
        len({shop.create(1, Draft(name="a.jpg", picture=Picture("made:x", "jpg")), 0).image_file for _ in range(999)})
        == 999
    )
