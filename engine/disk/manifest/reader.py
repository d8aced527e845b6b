"""A manifest from check to reading, with the part that was asked for. Touches the manifest, its pictures, and files beside `spool`.

What a line means is decided in `core`; here is only in which order lines are read, and how often: twice from the manifest itself
where it is in product order; any other is sorted on disk by the check, and read from there.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from ...core.errors import Fault, ManifestError
from ...core.image_files import source_kind
from ...core.manifest.csv_rows import Table
from ...core.manifest.fields import MAX_FAULTS
from ...core.manifest.json_lines import JsonLines
from ...core.manifest.odd_addresses import OddAddresses
from ...core.manifest.selection import Count, Selection
from ..local_images import preflight
from ..sorter import Spill
from .source import Origin, settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...core.image_format.truncated import CutFiles
    from ...core.manifest.fields import Look
    from ...core.manifest.json_lines import Sight
    from ...core.model import WantedProduct

__all__ = ["EVERYTHING", "Manifest", "Selection", "check"]

EVERYTHING = Selection()
_FORMS: dict[str, type[JsonLines | Table]] = {
    ".csv": Table,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".json": JsonLines,
}
_PICTURES = 65_536  # whose look is remembered: one picture often serves many products


class Manifest:
    """A manifest that was checked and found good. What it keeps on disk goes when it is closed, so use it in a `with`.

    `products`, `images` and `uploads` (images that are local pictures) count the selection; `digest` is the SHA-256 of the
    input's raw bytes, whatever the selection. `path` is absolute, or `-`; `name` is for messages.
    """

    def __init__(
        self, path: str, origin: Origin, selection: Selection, verdict: _Verdict, kept: ExitStack, odd: OddAddresses
    ) -> None:
        self.name = origin.name
        self.path = path
        self.digest = verdict.digest
        self.products = verdict.count.products
        self.images = verdict.count.images
        self.uploads = verdict.count.uploads
        self._origin = origin
        self._selection = selection
        self._verdict = verdict
        self._kept = kept
        self._odd = odd

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> Iterator[WantedProduct]:
        """Yield the selected products by ascending id, each once. Raises ManifestError if the manifest changed since the check."""
        verdict = self._verdict
        in_order = verdict.sorted is None
        products = self._streamed() if verdict.sorted is None else verdict.form([], _unseen).restored(verdict.sorted)
        if self._selection == EVERYTHING:
            return self._odd.watch(products)
        return self._odd.watch(self._selection.cut(products, verdict.count.last_line, sorted_lines=in_order))

    def close(self) -> None:
        """Remove what was copied and sorted; nothing can be read afterwards."""
        self._kept.close()

    def _streamed(self) -> Iterator[WantedProduct]:
        faults: list[Fault] = []
        with self._origin.lines(faults) as lines:
            try:
                yield from self._verdict.form(faults, _unseen).products(lines)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise self._origin.changed() from error  # every line was good when it was checked
            if faults:
                raise self._origin.changed()


def check(
    source: str | Path,
    *,
    files: Path | None,
    selection: Selection = EVERYTHING,
    spool: Path,
    stdin: BinaryIO | None = None,
    cut: CutFiles | None = None,
    odd: OddAddresses | None = None,
) -> Manifest:
    """Read the whole manifest and find all that is wrong with it, local pictures below `files` included.

    `-` reads `stdin`. Temporary files are named `spool` with `.manifest…` added; the caller holds the checkpoint's lock, so that
    nobody else uses these names. Local pictures that are cut off go into `cut`, odd addresses into `odd` when the
    manifest is read. Raises ManifestError with up to 100 faults, DiskError if the disk under `spool` fails.
    """
    given = str(source)
    folder = files if files is not None else Path() if given == "-" else Path(source).parent
    with ExitStack() as kept:
        origin = settle(given, spool.with_name(f"{spool.name}.manifest.input"), stdin, kept)
        spill = kept.enter_context(Spill(spool.with_name(f"{spool.name}.manifest.sorted")))
        spill.sweep()
        verdict = _judge(origin, selection, lru_cache(_PICTURES)(partial(preflight, folder, cut=cut)), spill)
        path = "-" if given == "-" else str(Path(given).absolute())
        return Manifest(path, origin, selection, verdict, kept.pop_all(), odd or OddAddresses())


@dataclass(slots=True)
class _Verdict:
    """What checking found of a good manifest."""

    form: type[JsonLines | Table]
    digest: str
    count: Count
    sorted: Spill | None  # None: the manifest itself is in product order


def _judge(origin: Origin, selection: Selection, look: Look, spill: Spill) -> _Verdict:
    form, faults, digest = _form(origin), list[Fault](), hashlib.sha256()
    count = Count(selection, faults)
    with origin.lines(faults, digest) as lines:
        in_order = count.in_order(form(faults, look).judge(lines))
    if not in_order:
        faults, digest = [], hashlib.sha256()
        with origin.lines(faults, digest) as lines:
            for record in form(faults, look).records(lines):
                spill.add(*record)
        last_line = selection.last_line(_sights(form([], look).restored(spill)))
        count = Count(selection, faults, last_line)
        count.in_order(_sights(form(faults, look).restored(spill)))
    count.conclude()
    if faults:
        raise ManifestError(origin.name, sorted(faults, key=lambda fault: fault.line or 0)[:MAX_FAULTS])
    return _Verdict(form, digest.hexdigest(), count, None if in_order else spill)


def _sights(products: Iterable[WantedProduct]) -> Iterator[Sight]:
    for product in products:
        uploads = sum(source_kind(image.image_file) == "file" for image in product.images)
        yield product.product_id, product.line or 0, len(product.images), uploads


def _unseen(_: str) -> None:
    """Look at no picture: they were looked at when the manifest was checked."""


def _form(origin: Origin) -> type[JsonLines | Table]:
    """JSON Lines or CSV, by the name; where that doesn't say, by the first bytes."""
    form = _FORMS.get(Path(origin.name.lower().removesuffix(".gz")).suffix)
    if form is None:
        with origin.lines([]) as lines:
            first = next((line for _, line in lines if not line.isspace()), b"{")
        form = JsonLines if first.lstrip().startswith((b"{", b"[")) else Table
    return form
