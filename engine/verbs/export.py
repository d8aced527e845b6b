"""The store's present images as a manifest: a backup, or the input for another store. Writes nothing to the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio

from ..core.errors import LostError, MissingError, RefusedError, SettingsError
from ..core.manifest.writer import NAMES, Writer, fits
from ..core.results import MOST_FAILURES, Failure, Report
from ..options import Options
from ..progress import Progress, Stop
from ..runs.context import Interrupted, Ports, RunContext, reporting_outcome
from ..runs.opening import check_output, connected
from ..runs.workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.model import StoredImage
    from ..options import Access
    from ..transport.client import ApiClient
    from ..transport.store import Store

_AHEAD = 512
"""How many products may be ready ahead of the slowest one."""
_HELD = 32 * 1024 * 1024
"""How many bytes of them."""
LONGEST_URL = 255
"""What the store takes at most as a URL (store-api.md 1.8)."""


async def export(
    access: Access,
    output: Path | Callable[[bytes], None],
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Ports | None = None,
) -> Report:
    """Write every product's images as a manifest, in product order: to a file in the format of its name, or lines to a callable.

    Products without images are left out. What isn't printable is escaped, so a terminal may show it. With
    `Options.storefront_url` the pictures are the uploaded originals, else the largest rendition that the store names. A
    file appears whole or not at all.

    Raises FerryError; SettingsError where no manifest of that name can be read back.
    """
    job = RunContext("export", access, options or Options(), progress or Progress(), stop or Stop(), seams or Ports())
    async with reporting_outcome(job):
        if not isinstance(output, Path):
            await _export(job, output, Writer(""))
            return job.report
        check_output(output)
        if not fits(output.name):
            raise SettingsError(f"-o {output}: its name doesn't say which format to write; a manifest is {NAMES}")
        made = output.absolute().with_name(output.name + ".new")
        file = job.ports.disk.create(made)
        try:
            await _export(job, file.write, Writer(output.name))
            await file.sync()
        except BaseException:
            job.ports.disk.remove(made)
            raise
        finally:
            file.close()
        await job.ports.disk.replace(made, output.absolute())
    return job.report


async def _export(job: RunContext, write: Callable[[bytes], None], writer: Writer) -> None:
    async with connected(job.access, job.options, job.ports, job.progress, job.stop) as (store, gate):
        job.progress.start_phase("connecting")
        job.report.images_before = await store.count()
        job.progress.start_phase("exporting")
        exporting = _Exporting(job, store, write, writer)
        await exporting.run(gate)
        job.report.images_after = await store.count()
        exporting.compare()


class _Exporting:
    """Products are listed side by side and written in order."""

    def __init__(self, job: RunContext, store: Store, write: Callable[[bytes], None], writer: Writer) -> None:
        self._job = job
        self._store = store
        self._write = write
        self._writer = writer
        self._given = self._written = self._held = self._too_long = 0
        self._ready: dict[int, bytes] = {}
        self._moved = anyio.Event()
        self._products = store.product_ids()
        self._turn = anyio.Lock()

    async def run(self, gate: ApiClient) -> None:
        """Export every product, as many at once as the gate allows."""
        self._give(self._writer.begin())
        await WorkerPool(lambda: gate.workers, self._step).run()
        if self._job.stop.stopping:
            raise Interrupted
        self._give(self._writer.end())

    def _give(self, data: bytes) -> None:
        if data:
            self._write(data)

    async def _step(self) -> bool:
        while self._given - self._written > _AHEAD or self._held > _HELD:
            await self._moved.wait()
        async with self._turn:
            product_id = None if self._job.stop.stopping else await anext(self._products, None)
            number = self._given
            self._given += product_id is not None
        if product_id is None:
            return False
        self._ready[number] = line = await self._line(product_id)
        self._held += len(line)
        self._write_ready()
        self._job.progress.products_done += 1
        return True

    async def _line(self, product_id: int) -> bytes:
        report = self._job.report
        try:
            images = await self._store.images_with_urls(product_id)
        except MissingError:
            return b""  # deleted between the two calls: then it is not there to be exported
        except (RefusedError, LostError) as error:
            self._failed(Failure(product_id=product_id, status=error.status or None, reason=error.reason))
            return b""
        if not images:
            return b""
        images.sort(key=lambda image: (image.sort_order, image.image_id))
        report.products += 1
        rows = [row for image in images if (row := self._row(product_id, image)) is not None]
        report.wanted += len(rows)
        return self._writer.product(product_id, rows) if rows else b""

    def _failed(self, failure: Failure) -> None:
        """Count all of them, and name as many as a report names."""
        report = self._job.report
        report.failed += 1
        if len(report.failures) < MOST_FAILURES:
            report.failures.append(failure)

    def _row(self, product_id: int, image: StoredImage) -> dict[str, object] | None:
        storefront = self._job.options.storefront_url
        url = image.url
        if storefront is not None:
            url = f"{storefront.rstrip('/')}/product_images/{quote(image.image_file)}"
        if url is None:
            reason = "the store names no address of its picture; --storefront-url says where originals are"
            self._failed(Failure(product_id, image.image_file, image.image_id, reason=reason))
            return None
        self._too_long += len(url) > LONGEST_URL
        return {
            "image_file": url,
            "description": image.description,
            "sort_order": image.sort_order,
            "is_thumbnail": image.is_thumbnail,
        }

    def _write_ready(self) -> None:
        while (line := self._ready.pop(self._written, None)) is not None:
            if line:
                self._give(self._writer.pack(line))
            self._held -= len(line)
            self._written += 1
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    def compare(self) -> None:
        """Note which rendition was named, and whether the store's own count agrees."""
        report = self._job.report
        say = report.notes.append
        if self._job.options.storefront_url is None:
            say(
                "the addresses are of the largest rendition (at most 1280 x 1280); give --storefront-url for the originals"
            )
        else:
            say("the addresses are of the uploaded originals")
        counted = (report.images_before or 0, report.images_after or 0)
        short = report.wanted < min(counted)
        if short:
            say(
                f"not whole: the store counts {min(counted):,} images, before and afterwards, and {report.wanted:,} were exported. "
                "Give the command again later; if it says this again, its listings don't show all that it counts"
            )
        elif report.images_after != report.wanted:
            say(
                f"the store counts {report.images_after} images, {report.wanted} were exported: somebody may have been at work"
            )
        if self._writer.without_text:
            say(
                f"{self._writer.without_text:,} images have no description; an empty cell of a CSV leaves it alone, JSON Lines say it"
            )
        if self._too_long:
            say(f"{self._too_long} addresses are over {LONGEST_URL} characters: a store takes none of that length")
        report.outcome = "failed" if report.failed or short else "done"
