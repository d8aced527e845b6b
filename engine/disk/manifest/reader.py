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
from ...core.manifest.csv_rows import CsvRows
from ...core.manifest.fields import MAX_FAULTS
from ...core.manifest.json_lines import JsonLines
from ...core.manifest.odd_addresses import OddAddresses
from ...core.manifest.selection import ProductCounter, Selection
from ..local_images import why_not_uploadable
from ..sorter import ExternalSorter
from .source import ManifestSource, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...core.image_format.truncated import TruncatedFiles
    from ...core.manifest.fields import CheckLocal
    from ...core.manifest.json_lines import ProductCount
    from ...core.model import WantedProduct

__all__ = ["EVERYTHING", "Manifest", "Selection", "check_manifest"]

EVERYTHING = Selection()
_FORMS: dict[str, type[JsonLines | CsvRows]] = {
    ".csv": CsvRows,
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
        self,
        path: str,
        origin: ManifestSource,
        selection: Selection,
        verdict: _CheckResult,
        kept: ExitStack,
        odd: OddAddresses,
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
        products = (
            self._streamed() if verdict.sorted is None else verdict.form([], _unseen).from_records(verdict.sorted)
        )
        if self._selection == EVERYTHING:
            return self._odd.watch(products)
        return self._odd.watch(self._selection.filter(products, verdict.count.last_line, sorted_lines=in_order))

    def close(self) -> None:
        """Remove what was copied and sorted; nothing can be read afterwards."""
        self._kept.close()

    def _streamed(self) -> Iterator[WantedProduct]:
        faults: list[Fault] = []
        with self._origin.lines(faults) as lines:
            try:
                yield from self._verdict.form(faults, _unseen).products(lines)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise self._origin.changed_error() from error  # every line was good when it was checked
            if faults:
                raise self._origin.changed_error()


def check_manifest(
    source: str | Path,
    *,
    files: Path | None,
    selection: Selection = EVERYTHING,
    spool: Path,
    stdin: BinaryIO | None = None,
    cut: TruncatedFiles | None = None,
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
        origin = open_source(given, spool.with_name(f"{spool.name}.manifest.input"), stdin, kept)
        spill = kept.enter_context(ExternalSorter(spool.with_name(f"{spool.name}.manifest.sorted")))
        spill.remove_leftovers()
        verdict = _check(origin, selection, lru_cache(_PICTURES)(partial(why_not_uploadable, folder, cut=cut)), spill)
        path = "-" if given == "-" else str(Path(given).absolute())
        return Manifest(path, origin, selection, verdict, kept.pop_all(), odd or OddAddresses())


@dataclass(slots=True)
class _CheckResult:
    """What checking found of a good manifest."""

    form: type[JsonLines | CsvRows]
    digest: str
    count: ProductCounter
    sorted: ExternalSorter | None  # None: the manifest itself is in product order


def _check(
    origin: ManifestSource, selection: Selection, check_local: CheckLocal, spill: ExternalSorter
) -> _CheckResult:
    form, faults, digest = _form(origin), list[Fault](), hashlib.sha256()
    count = ProductCounter(selection, faults)
    with origin.lines(faults, digest) as lines:
        in_order = count.count_sorted(form(faults, check_local).check(lines))
    if not in_order:
        faults, digest = [], hashlib.sha256()
        with origin.lines(faults, digest) as lines:
            for record in form(faults, check_local).to_records(lines):
                spill.add(*record)
        last_line = selection.last_line(_product_counts(form([], check_local).from_records(spill)))
        count = ProductCounter(selection, faults, last_line)
        count.count_sorted(_product_counts(form(faults, check_local).from_records(spill)))
    count.finish()
    if faults:
        raise ManifestError(origin.name, sorted(faults, key=lambda fault: fault.line or 0)[:MAX_FAULTS])
    return _CheckResult(form, digest.hexdigest(), count, None if in_order else spill)


def _product_counts(products: Iterable[WantedProduct]) -> Iterator[ProductCount]:
    for product in products:
        uploads = sum(source_kind(image.image_file) == "file" for image in product.images)
        yield product.product_id, product.line or 0, len(product.images), uploads


def _unseen(_: str) -> None:
    """Look at no picture: they were looked at when the manifest was checked."""


def _form(origin: ManifestSource) -> type[JsonLines | CsvRows]:
    """JSON Lines or CSV, by the name; where that doesn't say, by the first bytes."""
    form = _FORMS.get(Path(origin.name.lower().removesuffix(".gz")).suffix)
    if form is None:
        with origin.lines([]) as lines:
            first = next((line for _, line in lines if not line.isspace()), b"{")
        form = JsonLines if first.lstrip().startswith((b"{", b"[")) else CsvRows
    return form
