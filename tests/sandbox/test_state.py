"""What the store is filled with, and that it comes back as it was."""

import gzip
import json

import pytest

from imageferry.jobs.sandbox import Config

from .stores import drawn, opened


async def kept(config):
    """Open and close a store that has been written to in every way, and return how it was."""
    async with opened(config) as (sandbox, store):
        (sandbox.import_folder / "a.png").write_bytes(drawn())
        made = (await store.call("POST", store.images, {"image_file": "a.png", "description": "Front"})).json
        await store.call("PUT", "/products/2/images/3", {"sort_order": 7})
        await store.call("DELETE", "/products/2/images/4")
        await sandbox.control.edit("DELETE", "/products/3")
        await sandbox.control.edit("POST", "/products", {"id": 50, "sku": "FIFTY"})
        return sandbox.address(), made, snapshot(sandbox)


def snapshot(sandbox):
    return list(sandbox.shop.catalogue.all()), sandbox.shop.catalogue.total_images, sandbox.shop.catalogue.next_image_id


async def test_a_store_comes_back_as_it_was(tmp_path):
    """State, hash, token and pictures; ids go on where they were."""
    config = Config(products=4, images=2, state=tmp_path / "state", import_folder=tmp_path / "import")
    address, made, before = await kept(config)
    async with opened(Config(state=tmp_path / "state")) as (sandbox, store):
        assert snapshot(sandbox) == before
        assert (sandbox.store_hash, sandbox.access_token) == (address["store_hash"], address["access_token"])
        async with store.session.get(f"{sandbox.url}/product_images/{made['image_file']}") as answer:
            assert await answer.read() == drawn()
        assert (await store.call("GET", "/products?sku=FIFTY")).json[0]["id"] == 50
        again = (await store.call("DELETE", store.images), await store.call("GET", "/products/images/count"))[1]
        assert again.json == {"count": before[1] - 3}


async def test_a_store_comes_back_more_than_once(tmp_path):
    """What wasn't touched the second time is still there the third."""
    config = Config(products=4, images=2, state=tmp_path / "state", import_folder=tmp_path / "import")
    _, _, before = await kept(config)
    for _ in range(2):
        async with opened(Config(state=tmp_path / "state")) as (sandbox, _):
            assert snapshot(sandbox) == before
            picture = sandbox.shop.listed(1, 0)[-1].picture
            assert sandbox.album.bytes_of(picture) == drawn()


@pytest.mark.parametrize(
    "text", ["", "{", "[]\n", '{"format": "another"}\n'], ids=["empty", "torn", "no object", "another"]
)
async def test_a_state_that_makes_no_sense_is_refused_and_left_alone(tmp_path, text):
    """With its name and line."""
    (tmp_path / "state").write_text(text)
    with pytest.raises(ValueError, match=r"state:1: "):
        async with opened(Config(state=tmp_path / "state")):
            pass
    assert (tmp_path / "state").read_text() == text


async def test_a_state_that_is_damaged_further_down_is_refused(tmp_path):
    """The line is named."""
    await kept(Config(products=4, images=2, state=tmp_path / "state", import_folder=tmp_path / "import"))
    with (tmp_path / "state").open("a") as state:
        state.write('{"product_id": 3}\n')
    with pytest.raises(ValueError, match=r"state:5: "):
        async with opened(Config(state=tmp_path / "state")):
            pass


MANIFEST = [
    {
        "product_id": 7,
        "images": [{"image_file": "a.png", "sort_order": 3, "is_thumbnail": False, "description": "Front"}],
    },
    {"product_id": 9, "images": [{"image_file": "import:b.png"}, {"image_file": "missing.png"}]},
    {"product_id": 8, "images": []},
]


def written(folder, name="manifest.jsonl"):
    lines = "\n\n".join(json.dumps(each) for each in MANIFEST).encode()
    (folder / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    (folder / "a.png").write_bytes(drawn())
    (folder / "import").mkdir()
    (folder / "import" / "b.png").write_bytes(drawn(tone=9))
    return folder / name


@pytest.mark.parametrize("name", ["manifest.jsonl", "manifest.jsonl.gz"])
async def test_a_manifest_names_the_products_of_a_new_store(tmp_path, name):
    """They have no images, unless these are asked for."""
    async with opened(Config(products=2, images=1, manifest=written(tmp_path, name))) as (sandbox, store):
        assert [each["id"] for each in (await store.call("GET", "/products")).json] == [1, 2, 7, 8, 9]
        assert sandbox.shop.catalogue.total_images == 2
        assert sandbox.left_out == []


async def test_a_store_can_be_filled_with_the_images_of_a_manifest(tmp_path):
    """With their fields; what can't be had is said, and the rest goes on."""
    config = Config(manifest=written(tmp_path), with_images=True, import_folder=tmp_path / "import")
    async with opened(config) as (sandbox, _):
        (front,), (second,) = sandbox.shop.listed(7, 0), sandbox.shop.listed(9, 0)
        assert (front.sort_order, front.is_thumbnail, front.description) == (3, False, "Front")
        assert sandbox.album.bytes_of(second.picture) == drawn(tone=9)
        (missing,) = sandbox.left_out
        assert missing.endswith("manifest.jsonl:3: images[1]: missing.png could not be had")


BAD_LINES = {
    "torn": "{",
    "no object": "[]",
    "id as text": '{"product_id": "7"}',
    "id zero": '{"product_id": 0}',
    "image without file": '{"product_id": 1, "images": [{}]}',
    "images no list": '{"product_id": 1, "images": 7}',
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES)
async def test_a_manifest_that_makes_no_sense_is_refused(tmp_path, line):
    """With its name and line."""
    (tmp_path / "manifest.jsonl").write_text(line)
    with pytest.raises(ValueError, match=r"manifest\.jsonl:1: "):
        async with opened(Config(manifest=tmp_path / "manifest.jsonl")):
            pass
