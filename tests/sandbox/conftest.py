"""The stores that the contract is run against: the sandbox always, a real one by hand.

By hand: `pytest tests/contract -m live` with BIGCOMMERCE_STORE_HASH, BIGCOMMERCE_ACCESS_TOKEN, BIGCOMMERCE_API_URL, and
CONTRACT_PRODUCT, the id of a product without images, to be played with, and CONTRACT_PICTURE, a public URL of a picture.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, web

from imageferry.jobs.sandbox import Config

from .stores import Pictures, Store, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def pictures() -> AsyncIterator[Pictures]:
    """A site on loopback whose every path is a picture until told otherwise."""
    site = Pictures()
    runner = web.ServerRunner(web.Server(site.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield site
    await runner.cleanup()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for `store` against the sandbox, or, with -m live, against a real one."""
    if "store" in metafunc.fixturenames:
        live = "live" in (metafunc.config.getoption("-m") or "")
        stores = [pytest.param("live", marks=pytest.mark.live)] if live else ["sandbox"]
        metafunc.parametrize("store", stores, indirect=True)


@pytest.fixture
async def store(request: pytest.FixtureRequest, pictures: Pictures) -> AsyncIterator[Store]:
    """The store that is judged, its product without images."""
    if request.param == "sandbox":
        config = Config(products=3, quota=10_000, windows="first-call")
        async with opened(config, f"{pictures.url}/Photo.jpg") as (_, each):
            yield each
        return
    async with _live() as each:
        assert await each.listed() == [], "CONTRACT_PRODUCT has images: give one that has none, they would be deleted"
        yield each
        while await each.listed():
            await each.call("DELETE", f"{each.images}?limit=250")


@asynccontextmanager
async def _live() -> AsyncIterator[Store]:
    word = os.environ
    api = word.get("BIGCOMMERCE_API_URL", "https://api.bigcommerce.com")
    headers = {"X-Auth-Token": word["BIGCOMMERCE_ACCESS_TOKEN"], "Accept": "application/json"}
    async with ClientSession(headers=headers) as session:
        root = f"{api}/stores/{word['BIGCOMMERCE_STORE_HASH']}/v2"
        yield Store(session, root, int(word["CONTRACT_PRODUCT"]), word["CONTRACT_PICTURE"])
