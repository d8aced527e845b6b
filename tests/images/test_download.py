"""Pictures on their way into a backup: a host that hangs, one that fails, and a stop between two of them."""

from __future__ import annotations

import socket
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

import anyio
import pytest
from PIL import Image

import imageferry
from imageferry.core.errors import LostError
from imageferry.jobs.sandbox import Config, Sandbox, running
from imageferry.runs.context import Ports

from ..market import lines, log, state, writes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


def access(sandbox: Sandbox) -> imageferry.Access:
    return imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)


def options(tmp_path: Path, **more: Any) -> imageferry.Options:
    everything = imageferry.MaxDeletes(share=1.0)
    return imageferry.Options(max_deletes=everything, settle=0.3, backup=tmp_path / "kept", **more)


def jpeg() -> bytes:
    drawn = BytesIO()
    Image.new("RGB", (8, 8)).save(drawn, "JPEG")
    return drawn.getvalue()


class Host:
    """Wherever the pictures lie: `serve` answers, `asked` is what was asked for."""

    def __init__(self, serve: Callable[[str], Awaitable[bytes]]) -> None:
        self._serve = serve
        self.asked: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        return await self._serve(url)


def empty(tmp_path: Path, products: int) -> Path:
    """A manifest that empties so many galleries."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": n, "images": []} for n in range(1, products + 1)]))
    return manifest


async def test_a_picture_that_hangs_is_named_and_cut_and_its_image_stays(tmp_path: Path) -> None:
    """The originals' host accepts and never answers: said with the address, cut after --stall-after, not deleted.

    The store would serve the largest rendition, but the original may be there all the same.
    """
    said: list[str] = []
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        port = silent.getsockname()[1]
        async with running(Config(products=2, images=2, quota=None, fetch=False)) as sandbox:
            asked = options(tmp_path, stall_after=0.5, storefront_url=f"http://127.0.0.1:{port}")
            report = await imageferry.sync(
                access(sandbox), empty(tmp_path, 2), asked, progress=imageferry.Progress(said.append)
            )
            galleries = await state(sandbox.url)
    assert report.outcome == "failed"
    assert all("not deleted" in failure.reason and "within 0.5 s" in failure.reason for failure in report.failures)
    assert [len(galleries[n]) for n in (1, 2)] == [2, 2]
    assert any(f"aborted: GET http://127.0.0.1:{port}/" in sentence for sentence in said), said


async def test_a_host_that_serves_nothing_for_long_is_not_asked_for_every_picture(tmp_path: Path) -> None:
    """After --give-up-after without one picture the rest fail at once: a large gallery must not cost hours."""

    async def hang(_url: str) -> bytes:
        await anyio.sleep_forever()
        raise AssertionError

    host = Host(hang)
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(lines([{"product_id": 1, "images": [{"image_file": "https://x.example/product-1-1.jpg"}]}]))
    async with running(Config(products=1, images=30, quota=None, fetch=False)) as sandbox:
        asked = options(tmp_path, stall_after=0.2, give_up_after=0.5)
        report = await imageferry.sync(access(sandbox), manifest, asked, seams=Ports(fetch=lambda: host))
        assert len((await state(sandbox.url))[1]) == 30
    assert (report.outcome, report.failed, report.deleted) == ("failed", 29, 0)
    assert len(host.asked) <= 3
    assert "it is not asked again in this run" in report.failures[-1].reason


@pytest.mark.parametrize("answers", [True, False], ids=["between two pictures", "between two tries"])
async def test_a_stop_is_minded_while_pictures_are_kept(tmp_path: Path, answers: bool) -> None:
    """Nothing more is asked for and nothing deleted; the same command goes on, and what is kept already stays."""
    stop = imageferry.Stop()

    async def serve(_url: str) -> bytes:
        if not stop.stopping:
            stop.request()
            if not answers:
                raise LostError("no answer")
        return jpeg()

    host, manifest = Host(serve), empty(tmp_path, 1)
    async with running(Config(products=1, images=3, quota=None, fetch=False)) as sandbox:
        seams = Ports(fetch=lambda: host)
        report = await imageferry.sync(access(sandbox), manifest, options(tmp_path), stop=stop, seams=seams)
        assert (report.outcome, report.failed, len(host.asked)) == ("interrupted", 0, 1)
        assert writes(await log(sandbox.url)) == []
        again = await imageferry.sync(access(sandbox), manifest, options(tmp_path), seams=seams)
        assert (again.outcome, again.deleted, (await state(sandbox.url))[1]) == ("done", 3, [])
        assert len(host.asked) == (3 if answers else 4)
