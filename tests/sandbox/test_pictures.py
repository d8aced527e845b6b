"""Looking at stored pictures: the original, its renditions, the page (store-api.md 1.5)."""

from io import BytesIO

import pytest
from PIL import Image

from imageferry.jobs.sandbox import Config
from imageferry.jobs.sandbox.shop.pictures import kind, made_up, rendition

from ..picture_corpus import CUT, SOUND
from .stores import drawn, opened


def size(data):
    with Image.open(BytesIO(data)) as opened_picture:
        return opened_picture.size


@pytest.mark.parametrize("name", ["BMP", "GIF", "JPEG", "PNG", "WEBP", "XBM"])
def test_a_rendition_fits_and_keeps_its_shape(name):
    """Whatever the type; XBM becomes PNG."""
    data, extension = rendition(drawn(name, (400, 200)), 100, 100)
    assert size(data) == (100, 50)
    assert kind(data) == extension
    assert (extension == "png") == (name in ("PNG", "XBM"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_a_rendition_can_be_made_of_any_mode(mode):
    """Palettes, transparency and printers' colours."""
    out = BytesIO()
    Image.new(mode, (200, 200)).save(out, "JPEG" if mode == "CMYK" else "PNG")
    assert size(rendition(out.getvalue(), 50, 50)[0]) == (50, 50)


def test_a_small_picture_is_its_own_rendition():
    """Nothing is enlarged or encoded anew."""
    assert rendition(drawn("PNG"), 44, 58) == (drawn("PNG"), "png")


def test_a_made_up_picture_is_the_same_for_the_same_text():
    """And a JPEG."""
    assert made_up("a") == made_up("a") != made_up("b")
    assert kind(made_up("a")) == "jpg"


async def seen(store, url):
    async with store.session.get(url) as answer:
        return answer.status, answer.content_type, await answer.read()


async def test_every_address_in_a_listing_shows_the_picture():
    """Four renditions, none larger than it says."""
    async with opened(Config(products=1, images=1)) as (_, store):
        (image,) = await store.listed()
        for name, most in (("zoom_url", 1280), ("thumbnail_url", 513), ("standard_url", 290), ("tiny_url", 58)):
            status, content_type, data = await seen(store, image[name])
            assert (status, content_type) == (200, "image/jpeg")
            assert max(size(data)) <= most


async def test_the_original_lies_below_product_images_and_in_stencil():
    """Both give the bytes as they came."""
    async with opened(Config(products=1)) as (sandbox, store):
        (sandbox.import_folder / "a.png").write_bytes(drawn("PNG", (2000, 10)))
        made = (await store.call("POST", store.images, {"image_file": "a.png"})).json
        stencil = f"/s-{store.root.split('/')[-2]}/images/stencil/{{}}/products/1/{made['id']}/a__12345.170.png"
        for path in (
            f"/product_images/{made['image_file']}",
            stencil.format("original"),
            "/product_images/import/a.png",
        ):
            assert await seen(store, sandbox.url + path) == (200, "image/png", drawn("PNG", (2000, 10)))
        for named, width in (("500x659", 500), ("100w", 100)):
            assert size((await seen(store, sandbox.url + stencil.format(named)))[2])[0] == width


async def test_the_address_changes_with_the_picture():
    """And the old file is gone."""
    async with opened(Config(products=1, fetch=False)) as (sandbox, store):
        made = await store.create()
        answer = await store.call("PUT", f"{store.images}/{made['id']}", {"image_file": "https://a.example/new.jpg"})
        assert answer.json["image_file"] != made["image_file"]
        assert (await seen(store, f"{sandbox.url}/product_images/{made['image_file']}"))[0] == 404


NOWHERE = [
    "/product_images/a/000/nothing__00000.jpg",
    "/product_images/import/nothing.jpg",
    "/product_images/import/..%2f..%2fetc%2fhostname",
    "/s-x/products/1/images/99/a__1.1.10.10.jpg",
    "/s-x/images/stencil/original/products/9/1/a.jpg",
    "/favicon.ico",
]


@pytest.mark.parametrize("path", NOWHERE)
async def test_what_is_not_stored_is_404(path):
    """No picture, no file, nothing outside the import folder."""
    async with opened(Config(products=1, images=1)) as (sandbox, store):
        assert (await seen(store, sandbox.url + path))[0] == 404


async def test_a_person_can_look_through_the_store():
    """A page shows products with their pictures, what they say escaped."""
    async with opened(Config(products=45, images=1)) as (sandbox, store):
        await sandbox.control.edit("PUT", "/products/1/images/1", {"description": "<b>Front</b>"})
        status, content_type, page = await seen(store, f"{sandbox.url}/")
        assert (status, content_type) == (200, "text/html")
        assert b"45 products, 45 images" in page
        assert b"&lt;b&gt;Front" in page
        assert b"/?page=2" in page
        assert b"product-45-1" in (await seen(store, f"{sandbox.url}/?page=3"))[2]


async def test_pictures_can_be_asked_for_by_head():
    """Size and type without the bytes."""
    async with opened(Config(products=1, images=1)) as (_, store):
        url = (await store.listed())[0]["zoom_url"]
        async with store.session.head(url) as answer:
            assert int(answer.headers["Content-Length"]) == len((await seen(store, url))[2])


async def test_pictures_that_pillow_cannot_show_are_served_as_they_came():
    """What was cut off, and what is sound but strange to a decoder, at every address of the listing."""
    names = ["a text that unpacks to 2 MB", "10 thousand million pixels"]
    odd = [SOUND[f"PNG {'with' if 'text' in name else 'of'} {name}"] for name in names]
    cut = BytesIO()
    Image.effect_noise((900, 900), 60).convert("RGB").save(cut, "JPEG")
    async with opened(Config(products=1)) as (sandbox, store):
        for data in (*odd, SOUND["BMP of 2 bits"], cut.getvalue()[:40_000]):
            (sandbox.import_folder / "a.bin").write_bytes(data)
            made = await store.call("POST", store.images, {"image_file": "a.bin"})
            assert made.status == 201
            for name in ("zoom_url", "thumbnail_url", "standard_url", "tiny_url"):
                status, _, served = await seen(store, (await store.listed())[-1][name])
                assert (status, served) == (200, data)


async def test_a_store_may_refuse_pictures_that_were_cut_off():
    """A switch: taken as they are, or refused like what is no picture."""
    for switch, status in (("taken", 201), ("refused", 400)):
        async with opened(Config(products=1, cut_pictures=switch)) as (sandbox, store):
            for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP"):
                (sandbox.import_folder / "cut").write_bytes(CUT[f"{name}, without its last ten bytes"])
                (sandbox.import_folder / "whole").write_bytes(SOUND[name])
                for file, expected in (("cut", status), ("whole", 201)):
                    assert (await store.call("POST", store.images, {"image_file": file})).status == expected
