"""Where a picture may come from, and what is no picture (store-api.md 1.3, 1.8, section 7)."""

import asyncio
import hashlib
from io import BytesIO

import pytest
from aiohttp import FormData, web

from imageferry.jobs.sandbox import Config

from .stores import drawn, opened

UNREACHABLE = "The resource at '{}' could not be downloaded and may be invalid."
UNUSABLE = "The file '{}' is missing or is not usable by this resource."
WBMP = b"\0\0\x09\x02\xff\x80\x00\x00"


@pytest.fixture
async def site(pictures):
    """A sandbox that fetches, its client, and the site it fetches from."""
    async with opened(Config(products=2), f"{pictures.url}/Photo.jpg") as (sandbox, store):
        yield sandbox, store, pictures


async def original(sandbox, store, image):
    async with store.session.get(f"{sandbox.url}/product_images/{image['image_file']}") as answer:
        assert answer.status == 200
        return await answer.read()


KINDS = {"BMP": "bmp", "GIF": "gif", "JPEG": "jpg", "PNG": "png", "WEBP": "webp", "XBM": "xbm"}


@pytest.mark.parametrize(("kind", "extension"), KINDS.items(), ids=KINDS)
async def test_a_picture_is_taken_by_its_bytes_and_kept_unchanged(site, kind, extension):
    """Neither the name nor what the site calls it decides."""
    sandbox, store, pictures = site
    pictures.answers["/file"] = drawn(kind)
    answer = await store.call("POST", store.images, {"image_file": f"{pictures.url}/file"})
    assert answer.status == 201
    assert answer.json["image_file"].endswith(f".{extension}")
    assert await original(sandbox, store, answer.json) == drawn(kind)


async def test_a_wireless_bitmap_is_taken(site):
    """The one type that Pillow doesn't know."""
    sandbox, store, pictures = site
    pictures.answers["/a.wbmp"] = WBMP
    made = (await store.call("POST", store.images, {"image_file": f"{pictures.url}/a.wbmp"})).json
    assert await original(sandbox, store, made) == WBMP


NO_PICTURES = {
    "an HTML page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "nothing": b"",
    "JPEG in name only": b"\xff\xd8\xff\xe0 and then nothing of the kind",
    "torn GIF": b"GIF89a",
    "TIFF": b"II*\0\x08\0\0\0",
    "AVIF": b"\0\0\0 ftypavif\0\0\0\0",
    "too large": drawn("BMP") + b"\0" * (8 * 1024 * 1024),
}


@pytest.mark.parametrize("body", NO_PICTURES.values(), ids=NO_PICTURES)
async def test_what_is_no_usable_picture_is_refused(site, body):
    """A 200 is not enough; no image is made."""
    _, store, pictures = site
    pictures.answers["/x.jpg"] = body
    url = f"{pictures.url}/x.jpg"
    answer = await store.call("POST", store.images, {"image_file": url})
    assert (answer.status, answer.message) == (400, "The field 'image_file' is invalid.")
    assert answer.json[0]["details"]["invalid_reason"] == UNREACHABLE.format(url)
    assert await store.listed() == []


async def test_a_picture_of_just_eight_megabytes_is_taken(site):
    """The limit itself is allowed."""
    _, store, pictures = site
    pictures.answers["/x.bmp"] = drawn("BMP").ljust(8 * 1024 * 1024, b"\0")
    assert (await store.call("POST", store.images, {"image_file": f"{pictures.url}/x.bmp"})).status == 201


async def hung(_request):
    await asyncio.sleep(5)


async def dripping(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(50):
        await answer.write(b"\xff\xd8\xff")
        await asyncio.sleep(0.1)
    return answer


async def cut(request):
    answer = web.StreamResponse(headers={"Content-Length": "5000"})
    await answer.prepare(request)
    await answer.write(drawn("JPEG"))
    request.transport.close()
    return answer


async def dropped(request):
    request.transport.close()
    return web.Response()


async def gone(_request):
    return web.Response(status=404, body=drawn())


async def broken(_request):
    return web.Response(status=500)


async def lost(_request):
    return web.Response(status=302)


async def astray(_request):
    return web.Response(status=302, headers={"Location": "ftp://nowhere.example/a.jpg"})


async def circle(request):
    return web.Response(status=302, headers={"Location": request.path})


SITES = [hung, dripping, cut, dropped, gone, broken, lost, astray, circle]


@pytest.mark.parametrize("answer", SITES, ids=lambda each: each.__name__)
async def test_a_site_that_fails_makes_no_image(site, answer):
    """However it fails, the reason is the same sentence, and the store goes on."""
    sandbox, store, pictures = site
    sandbox.config.fetch_timeout = 0.3 if answer in (hung, dripping) else 10.0
    pictures.answers["/x.jpg"] = answer
    url = f"{pictures.url}/x.jpg"
    refused = await store.call("POST", store.images, {"image_file": url})
    assert (refused.status, refused.json[0]["details"]["invalid_reason"]) == (400, UNREACHABLE.format(url))
    sandbox.config.fetch_timeout = 10.0
    await store.create()
    assert len(await store.listed()) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.jpg", "https://", "http://[::1", "http://a b/x.jpg"])
async def test_an_address_that_leads_nowhere_is_refused(site, url):
    """No listener, no host, no URL."""
    _, store, _ = site
    answer = await store.call("POST", store.images, {"image_file": url})
    assert (answer.status, answer.json[0]["details"]["invalid_reason"]) == (400, UNREACHABLE.format(url))


@pytest.mark.parametrize(("hops", "status"), [(4, 201), (5, 201), (6, 400)])
async def test_redirects_are_followed_five_times(site, hops, status):
    """The sixth is one too many."""

    async def hop(request):
        left = int(request.path.removeprefix("/hop"))
        return web.Response(status=302, headers={"Location": f"/hop{left - 1}" if left > 1 else "/end.jpg"})

    _, store, pictures = site
    pictures.answers.update({f"/hop{n}": hop for n in range(1, 7)})
    answer = await store.call("POST", store.images, {"image_file": f"{pictures.url}/hop{hops}"})
    assert answer.status == status


async def test_every_create_fetches_anew(site):
    """The same URL is asked for each time, as a store would."""
    _, store, pictures = site
    await store.create()
    await store.create()
    assert pictures.asked == ["/Photo.jpg", "/Photo.jpg"]


@pytest.mark.parametrize(("length", "status"), [(255, 201), (256, 400)])
async def test_a_url_may_have_255_characters(site, length, status):
    """A longer one is refused without a reason and without being fetched."""
    _, store, pictures = site
    url = f"{store.picture}?".ljust(length, "x")
    answer = await store.call("POST", store.images, {"image_file": url})
    assert (answer.status, len(pictures.asked)) == (status, 1 if status == 201 else 0)
    assert status == 201 or "details" not in answer.json[0]


async def test_nothing_is_fetched_for_a_request_that_is_refused_anyway(site):
    """Checks come before the download."""
    _, store, pictures = site
    await store.call("POST", store.images, {"image_file": store.picture, "id": 3})
    await store.call("POST", "/products/77/images", {"image_file": store.picture})
    assert pictures.asked == []


async def test_a_file_of_the_import_folder_is_taken_by_its_name(site):
    """Also out of a folder below it; the file stays where it is."""
    sandbox, store, _ = site
    (sandbox.import_folder / "spring").mkdir()
    (sandbox.import_folder / "spring" / "Red Hat.png").write_bytes(drawn())
    made = (await store.call("POST", store.images, {"image_file": "spring/Red Hat.png"})).json
    assert "/Red_Hat__" in made["image_file"]
    assert await original(sandbox, store, made) == drawn()
    assert (sandbox.import_folder / "spring" / "Red Hat.png").exists()


BAD_NAMES = [
    "missing.png",
    "../outside.png",
    "/etc/hostname",
    "page.html",
    "link.png",
    "",
    "a\0b",
    "spring",
    "ftp://a.example/b.png",
]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_a_name_that_is_no_picture_of_the_import_folder_is_refused(tmp_path, name):
    """Missing, outside, behind a link, or no picture."""
    folder = tmp_path / "import"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(drawn())
    (folder / "page.html").write_text("<html></html>")
    (folder / "spring").mkdir()
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    async with opened(Config(products=1, import_folder=folder)) as (_, store):
        answer = await store.call("POST", store.images, {"image_file": name})
        assert answer.status == 400
        assert not name or answer.json[0]["details"]["invalid_reason"] == UNUSABLE.format(name)


def form(data=None, name="Spring Hat.png", **fields):
    """Return what makes a form: a file and text fields, the name as it is, as curl sends it."""

    def make():
        made = FormData(fields, quote_fields=False)
        made.add_field("image_file", BytesIO(data or drawn()), filename=name, content_type="application/octet-stream")
        return made

    return make


async def test_an_upload_is_taken_with_its_fields(site):
    """Text fields mean what JSON's would."""
    sandbox, store, _ = site
    fields = {"description": "Front", "sort_order": "-3", "is_thumbnail": "false"}
    answer = await store.call("POST", store.images, data=form(**fields)())
    assert answer.status == 201
    made = answer.json
    assert (made["description"], made["sort_order"], made["is_thumbnail"]) == ("Front", -3, False)
    assert "/Spring_Hat__" in made["image_file"]
    assert await original(sandbox, store, made) == drawn()


async def test_an_upload_can_replace_a_picture(site):
    """PUT takes a form, too."""
    sandbox, store, _ = site
    made = await store.create()
    answer = await store.call("PUT", f"{store.images}/{made['id']}", data=form(drawn("GIF"), "new.gif")())
    assert answer.status == 200
    assert await original(sandbox, store, answer.json) == drawn("GIF")


BAD_FORMS = {
    "no picture": form(b"<html></html>"),
    "too large": form(drawn("BMP") + b"\0" * (8 << 20)),
    "unknown field": form(colour="red"),
    "read-only field": form(id="1"),
    "order no number": form(sort_order="first"),
    "flag no truth": form(is_thumbnail="maybe"),
    "no file": lambda: FormData({"description": "Front"}, default_to_multipart=True),
}


@pytest.mark.parametrize("make", BAD_FORMS.values(), ids=BAD_FORMS)
async def test_a_form_with_a_fault_is_refused(make):
    """Like JSON with the same fault."""
    async with opened(Config(products=1)) as (_, store):
        assert (await store.call("POST", store.images, data=make())).status == 400
        assert await store.listed() == []


async def test_a_form_that_is_torn_is_refused(site):
    """A body without its boundary is a 400, not the end of the store."""
    _, store, _ = site
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
        answer = await store.call("POST", store.images, data=b"--y\r\nnonsense", headers={"Content-Type": kind})
        assert answer.status == 400


async def test_a_request_beyond_all_measure_is_413_in_plain_text(site):
    """The layer before the store speaks up."""
    _, store, _ = site
    answer = await store.call(
        "POST", store.images, data=BytesIO(b" " * (17 << 20)), headers={"Content-Type": "application/json"}
    )
    assert (answer.status, answer.headers["Content-Type"]) == (413, "text/plain")


async def test_a_url_in_a_form_is_fetched(site):
    """image_file as text means what it means in JSON."""
    _, store, pictures = site
    answer = await store.call(
        "POST", store.images, data=FormData({"image_file": store.picture}, default_to_multipart=True)
    )
    assert (answer.status, len(pictures.asked)) == (201, 1)


async def test_without_fetching_any_url_makes_a_picture_of_its_own():
    """The same URL gives the same picture, another one another; nothing goes over the network."""
    async with opened(Config(products=1, fetch=False)) as (sandbox, store):
        first, again, other = await store.create(), await store.create(), await store.create("?other")
        digests = [hashlib.sha256(await original(sandbox, store, each)).digest() for each in (first, again, other)]
        assert digests[0] == digests[1] != digests[2]
