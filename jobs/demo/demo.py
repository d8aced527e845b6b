"""`imageferry demo`: catalogue, picture server, sandbox store, plan, apply with faults on, verify - in one process, in seconds.

What it prints is what happened: every figure comes from the engine's reports and from the store's own log.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from aiohttp import web

import imageferry
from imageferry.core.errors import FerryError

from .. import exit_codes
from ..cli import signals
from ..output import json_record, plan_text, run_text
from ..sandbox import Config, Fault, Sandbox, running
from . import catalog

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import AsyncIterator, Callable, Iterable

    from ..output.console import Console

SETTLE = 1.2
"""Seconds: longer than the late image takes to appear, and short, since people wait for a demo."""
FAULTS = (
    (
        Fault("dropped_after", methods=("POST",), after=4, count=2),
        "the image is made, the connection breaks before the answer",
    ),
    (Fault("failed_after", methods=("POST",), after=10, count=1), "the image is made, the answer says 500"),
    (Fault("failed_before", methods=("POST",), after=14, count=1), "503, nothing is made"),
    (Fault("late_commit", methods=("POST",), after=18, count=1, delay=0.7), "504 at once, and the image appears later"),
    (Fault("bare_429", methods=("POST",), after=22, count=1), "429: the store is busy"),
)
"""By count and not by chance, so that every demo tells the same story."""


def demonstrate(arguments: Namespace, console: Console) -> int:
    """Run the demo; 0 where the store was as asked at the end."""
    with tempfile.TemporaryDirectory(prefix="imageferry-demo-") as folder:
        return anyio.run(_demonstrate, arguments, console, Path(folder))


async def _demonstrate(arguments: Namespace, console: Console, folder: Path) -> int:
    say = _speaker(arguments, console)
    async with shelf() as site:
        before, manifest = folder / "before.jsonl", folder / "products.jsonl"
        before.write_text(catalog.before(site))
        manifest.write_text(catalog.manifest(site))
        config = Config(manifest=before, with_images=True, quota=60, window_ms=2_000, latency=0.02)
        async with running(config) as sandbox:
            return await _Demo(arguments, console, say, sandbox, manifest)()


def _speaker(arguments: Namespace, console: Console) -> Callable[[Iterable[str]], None]:
    if arguments.quiet:
        return lambda _: None
    return console.err if arguments.json else console.out


@asynccontextmanager
async def shelf() -> AsyncIterator[str]:
    """Serve the catalogue's pictures on 127.0.0.1; yields the address."""
    pictures = {each.path: each.drawn() for each in catalog.catalogue()}
    pictures["/pictures/basket-detail.jpg"] = pictures["/pictures/basket-back.jpg"]

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        body = pictures.get(request.path)
        return web.Response(status=404) if body is None else web.Response(body=body, content_type="image/jpeg")

    runner = web.ServerRunner(web.Server(serve, access_log=None), shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class _Demo:
    """The steps, each telling what it did."""

    def __init__(
        self,
        arguments: Namespace,
        console: Console,
        say: Callable[[Iterable[str]], None],
        sandbox: Sandbox,
        manifest: Path,
    ) -> None:
        self._arguments = arguments
        self._console = console
        self._say = say
        self._sandbox = sandbox
        self._manifest = manifest
        self._access = imageferry.Access(sandbox.store_hash, sandbox.access_token, sandbox.api_url)
        self._options = imageferry.Options(settle=SETTLE)
        self._waits = False

    async def __call__(self) -> int:
        stop = imageferry.Stop()
        code = exit_codes.INTERRUPTED
        async with anyio.create_task_group() as beside:
            beside.start_soon(signals.listen, stop, self._interrupted)
            code = await self._steps(stop)
            if self._arguments.keep and not stop.stopping:
                await self._kept(stop)
            signals.over()
            beside.cancel_scope.cancel()
        return code

    def _interrupted(self, sentence: str) -> None:
        self._console.err(["the store is closed" if self._waits else sentence])

    async def _steps(self, stop: imageferry.Stop) -> int:
        try:
            self._catalogue()
            proposal = await self._plan(stop)
            report = await self._apply(proposal, stop)
            if report.outcome == "done":
                report = await self._verify(stop)
        except FerryError as error:
            code, outcome = exit_codes.of_error(error)
            self._console.err([f"demo: {error}"])
            self._record(outcome, error.report)
            return code
        if report.outcome == "done":
            self._say(_NEXT)
        else:
            self._console.err(["", "demo: it did not end as it should:", *run_text.run_text(report, verbose=True)])
        self._record(report.outcome, report)
        return exit_codes.of_outcome(report.outcome)

    def _record(self, outcome: str, report: imageferry.Report | None) -> None:
        if self._arguments.json:
            self._console.out([json.dumps(json_record.report_record("demo", outcome, report))])

    def _catalogue(self) -> None:
        pictures = catalog.catalogue()
        products = len({each.product_id for each in pictures})
        self._say(
            [
                "imageferry demo: a made-up shop, a store on this machine, and the whole way in between.",
                "",
                f"1. The shop: {products} products, {len(pictures)} pictures, drawn just now and served on this machine.",
                f"   The store: {self._sandbox.api_url}, with a quota of 60 calls per 2 s and {self._sandbox.shop.catalogue.total_images} old images.",
                "   The manifest, products.jsonl, says what the store shall have. Its first image:",
                f"   {_first_image(self._manifest)}",
            ]
        )

    async def _plan(self, stop: imageferry.Stop) -> imageferry.Proposal:
        self._say(["", "2. $ imageferry plan products.jsonl"])
        proposal = await imageferry.plan(self._access, self._manifest, self._options, stop=stop)
        lines = [*plan_text.counts(proposal), *(f"  {line}" for line in plan_text.costs(proposal))]
        self._say(f" {line}" for line in lines)
        return proposal

    async def _apply(self, proposal: imageferry.Proposal, stop: imageferry.Stop) -> imageferry.Report:
        self._say(["", "3. $ imageferry apply products.jsonl.plan        while these things go wrong:"])
        self._sandbox.play(*(fault for fault, _ in FAULTS))
        report = await imageferry.apply(self._access, str(proposal.plan), self._options, stop=stop)
        struck = self._sandbox.conductor.script.statistics()
        self._sandbox.play()
        self._say(f"   {each['struck']} x {told}" for each, (_, told) in zip(struck, FAULTS, strict=True))
        self._say(["   What came of it:", *(f" {line}" for line in run_text.counts(report))])
        return report

    async def _verify(self, stop: imageferry.Stop) -> imageferry.Report:
        self._say(["", "4. $ imageferry verify products.jsonl"])
        report = await imageferry.verify(self._access, self._manifest, self._options, stop=stop)
        self._say(f"   {line}" for line in run_text.verify_text(report, verbose=False))
        if report.outcome == "done":
            self._say(
                [
                    f"   {report.wanted} images are wanted and the store counts {report.images_before}: none is missing, none is there twice."
                ]
            )
        return report

    async def _kept(self, stop: imageferry.Stop) -> None:
        """Leave the store running until Ctrl-C, with all that it takes to try things out on it."""
        self._waits = True
        done = anyio.Event()
        stop.on_stop(done.set)
        self._console.err(
            [
                "",
                f"The store goes on until Ctrl-C. Look at it: {self._sandbox.api_url}/",
                "Or try things on it from another terminal:",
                f"  export BIGCOMMERCE_API_URL={self._sandbox.api_url}",
                f"  export BIGCOMMERCE_STORE_HASH={self._sandbox.store_hash}",
                f"  export BIGCOMMERCE_ACCESS_TOKEN={self._sandbox.access_token}",
                f"  imageferry plan {self._manifest}",
            ]
        )
        await done.wait()


def _first_image(manifest: Path) -> str:
    row = json.loads(manifest.read_text().partition("\n")[0])
    return json.dumps(row["images"][0])


_NEXT = (
    "",
    "Next:",
    "  imageferry demo --keep            the same, and the store stays: look at its pictures in a browser",
    "  imageferry sandbox --help         a store to rehearse your own manifest against",
    "  imageferry migrate --help         the flags of a real migration; README.md goes through one step by step",
)
