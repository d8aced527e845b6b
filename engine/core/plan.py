"""The plan as a value: a batch a product, a summary that can be priced, and the lines both are kept as.

A plan file is JSON Lines: a header (what for), a line a product in product order, and the summary last, which carries
the digest of all before it. Without its summary the file is the journal of a listing that was interrupted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from .diff import Changes, Create, Difference, Update
from .errors import CheckpointError
from .kept import Memory, own_value, read_known
from .model import Present, Wanted, WantedProduct
from .order import Reading, Renumbering
from .report import Failure, Report, images_in

FORMAT = 1
PAGE = 250
"""The most images that a page holds (store-api.md section 0)."""
SURE_PAGE = 50
"""What a page holds at least, whatever the store makes of `limit`: the documented default."""


@dataclass(slots=True)
class Header:
    """What a plan is for: the mode (sync, migrate, undo), the store, the manifest and the checkpoint it was made with.

    `resumable` is a run's own, whose listing may be gone on with where it was interrupted. The copy that `apply` takes of
    a person's plan is young on disk, however old its listing is. `retry_of` is when all products were listed, in a plan
    that lists no more than those that failed since; 0 where this plan lists all. `delete_many`: the store takes that call,
    as far as was known.
    """

    mode: str
    store: str
    manifest: str
    digest: str
    files: str
    checkpoint: str
    selection: str
    made_at: float
    reading: Reading = field(default_factory=Reading)
    resumable: bool = False
    retry_of: float = 0.0
    delete_many: bool = True

    @property
    def listed_at(self) -> float:
        """When the oldest listing in this plan began."""
        return self.retry_of or self.made_at

    @property
    def mirror(self) -> bool:
        """Whether the plan may delete."""
        return self.mode != "migrate"

    def fits(self, other: Header) -> bool:
        """Whether a plan begun under `other` may be gone on with under this."""
        return self.resumable and self._what_for() == other._what_for()

    def _what_for(self) -> tuple[object, ...]:
        return self.mode, self.store, self.digest, self.selection, self.reading, self.retry_of


@dataclass(slots=True)
class Batch:
    """One product's part of the plan: the unit of order, of concurrency and of resuming.

    `failures` hold the product's deletes back; what is `left_alone` (undo; a field of which the store keeps another value
    than asked for) is told and holds nothing back, `losses` (undo) are sentences about what can't come back as it was.
    `since` is what was remembered after the plan had been made; it is no part of the plan. `guessed`: source -> image id,
    where one of several images of a name was taken that the fields don't tell apart.
    """

    product: WantedProduct
    present: list[Present]
    changes: Changes
    memory: Memory
    failures: list[Failure] = field(default_factory=list)
    missing: bool = False
    by_name: bool = True
    left_alone: list[Failure] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    since: Memory = field(default_factory=dict)
    guessed: dict[str, int] = field(default_factory=dict)

    @property
    def product_id(self) -> int:
        """The product that this batch changes."""
        return self.product.product_id

    @property
    def empties(self) -> bool:
        """Whether one delete-many call takes all of the gallery: only for `"images": []`, and for two or more."""
        return not self.product.images and len(self.present) > 1 and len(self.changes.deletes) == len(self.present)


@dataclass(slots=True)
class Summary:
    """What a plan comes to. Images but for `products`, `missing` (products that are not there) and the calls.

    `relists` are the listings right before a product's first write, which only `apply` needs for every product;
    `known` and `lost` are the images that the ledger remembers, and those of them that the listing no longer shows.
    """

    products: int = 0
    wanted: int = 0
    unchanged: int = 0
    creates: int = 0
    updates: int = 0
    deletes: int = 0
    replaced: int = 0
    existing: int = 0
    changed_products: int = 0
    missing: int = 0
    failed: int = 0
    known: int = 0
    lost: int = 0
    delete_calls: int = 0
    looks: int = 0
    relists: int = 0
    bulk_relists: int = 0
    one_by_one: bool = False
    guessed: int = 0

    def add(self, batch: Batch, lost: int = 0, known: int = 0) -> None:
        """Count one product in; `known` and `lost` are of its remembered images."""
        changes, images, present = batch.changes, len(batch.product.images), len(batch.present)
        self.products += 1
        self.wanted += images
        self.existing += present
        self.known += known
        self.lost += lost
        self.missing += batch.missing
        self.guessed += len(batch.guessed)
        self.failed += images_in(batch.failures + batch.left_alone)
        own = {failure.image_id for failure in batch.left_alone if failure.field is not None}
        own -= {update.image_id for update in changes.updates}
        changed = len(changes.creates) + len(changes.updates) + len(batch.failures) + len(own)
        self.unchanged += max(0, images - changed)
        if not changes:
            return
        self.changed_products += 1
        self.creates += len(changes.creates)
        self.updates += len(changes.updates)
        self.deletes += len(changes.deletes)
        self.replaced += sum(create.replaces is not None for create in changes.creates)
        at_once = batch.empties and not self.one_by_one
        self.delete_calls += bulk_calls(present) if at_once else len(changes.deletes)
        after = present + len(changes.creates) - len(changes.deletes)
        self.looks += (pages(after) if changes.look else 0) + (at_once and present > SURE_PAGE)
        self.relists += pages(present)
        self.bulk_relists += pages(present) if at_once else 0

    def add_unchanged(self, images: int, present: int, known: int, lost: int, guessed: int = 0) -> None:
        """Count in a product that is as asked already."""
        self.products += 1
        self.wanted += images
        self.unchanged += images
        self.existing += present
        self.known += known
        self.lost += lost
        self.guessed += guessed

    def tell(self, report: Report) -> None:
        """Put the manifest's size into a report."""
        report.products, report.wanted, report.unchanged = self.products, self.wanted, self.unchanged

    def writes(self) -> int:
        """Calls that change the store when nothing goes wrong."""
        return self.creates + self.updates + self.delete_calls

    def calls(self, *, relist: bool) -> int:
        """Calls that applying takes when nothing goes wrong, with the image count before and after it."""
        return 2 + self.writes() + self.looks + (self.relists if relist else self.bulk_relists)


def pages(images: int) -> int:
    """Listing calls for a product with so many images; a page of exactly 50 counts as full (store-api.md 8.12)."""
    return images // PAGE + 1 + (images % PAGE == SURE_PAGE)


def bulk_calls(images: int) -> int:
    """Delete-many calls for a gallery of so many images, a page each."""
    return -(-images // PAGE)


def batch_of(product: WantedProduct, present: list[Present], found: Difference, failures: list[Failure]) -> Batch:
    """A batch from what the diff found; what stays as the store made it is told, and holds nothing back."""
    left_alone = own_failures(product, found)
    guessed = guesses(product, found)
    return Batch(product, present, found.changes, found.memory, failures, left_alone=left_alone, guessed=guessed)


def own_failures(product: WantedProduct, found: Difference) -> list[Failure]:
    """The fields of which the store keeps other values than asked for: each a failure of its image."""
    told = []
    for row, kept in found.own.items():
        image = product.images[row]
        told += [
            Failure(
                product.product_id, image.image_file, found.pairs[row], image.line, name, None, own_value(name, *pair)
            )
            for name, pair in kept.items()
        ]
    return told


def guesses(product: WantedProduct, found: Difference) -> dict[str, int]:
    """The pairs of a difference that were guessed: source -> image id."""
    return {product.images[row].image_file: found.pairs[row] for row in found.guessed if row in found.pairs}


def unchanged_line(
    product_id: int,
    images: int,
    present: int,
    memory: Memory | None,
    known: int,
    lost: int,
    guessed: dict[str, int] | None = None,
) -> bytes:
    """The line of a product with nothing to do; `memory` only where the ledger has something to learn."""
    line = b'{"product_id":%d,"unchanged":%d,"present":%d' % (product_id, images, present)
    if known:
        line += b',"known":%d' % known
    if lost:
        line += b',"lost":%d' % lost
    if memory is not None:
        line += b',"images":' + orjson.dumps(memory)
    if guessed:
        line += b',"guessed":' + orjson.dumps(guessed)
    return line + b"}\n"


def batch_line(batch: Batch, known: int, lost: int) -> bytes:
    """The line of a product that is to change, or that has failed already."""
    changes = batch.changes
    row = {
        "product_id": batch.product_id,
        "line": batch.product.line,
        "wanted": [_wanted_row(image) for image in batch.product.images],
        "present": [_present_row(image) for image in batch.present],
        "create": [_create_row(create) for create in changes.creates],
        "update": [{"image_id": u.image_id, **u.fields, "before": u.before} for u in changes.updates],
        "delete": changes.deletes,
        "look": changes.look,
        "missing": batch.missing,
        "by_id": not batch.by_name,
        "failures": [asdict(failure) for failure in batch.failures],
        "left_alone": [asdict(failure) for failure in batch.left_alone],
        "losses": batch.losses,
        "images": batch.memory,
        "guessed": batch.guessed,
        "known": known,
        "lost": lost,
    }
    return orjson.dumps(_without_empty(row)) + b"\n"


def read_line(row: dict[str, Any]) -> Batch:
    """A batch back from its line, which is taken apart.

    Raises CheckpointError where the line does not have the shape of one.
    """
    try:
        wanted = [Wanted(**image) for image in row.get("wanted", ())]
        creates = [Create(c.pop("row"), c, c.pop("replaces", None)) for c in row.get("create", ())]
        updates = [
            Update(u["image_id"], {k: v for k, v in u.items() if k not in {"image_id", "before"}}, u["before"])
            for u in row.get("update", ())
        ]
        return Batch(
            WantedProduct(row["product_id"], wanted, row.get("line")),
            [Present(**image) for image in row.get("present", ())],
            Changes(creates, updates, row.get("delete", []), row.get("look", False)),
            {source: read_known(known) for source, known in row.get("images", {}).items()},
            [Failure(**failure) for failure in row.get("failures", ())],
            row.get("missing", False),
            not row.get("by_id", False),
            [Failure(**failure) for failure in row.get("left_alone", ())],
            losses=[str(loss) for loss in row.get("losses", ())],
            guessed=dict(row.get("guessed", {})),
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise CheckpointError(f"not a product's line of a plan ({type(error).__name__}: {error})") from None


def add_line(summary: Summary, row: dict[str, Any]) -> None:
    """Count a line that was written earlier into the summary, so that an interrupted listing can be gone on with."""
    known, lost = row.get("known", 0), row.get("lost", 0)
    if "unchanged" in row:
        summary.add_unchanged(row["unchanged"], row["present"], known, lost, len(row.get("guessed", ())))
    else:
        summary.add(read_line(row), lost=lost, known=known)


def header_line(header: Header) -> bytes:
    """The first line of a plan file."""
    reading = {"put": header.reading.put.value, "post": header.reading.post}
    return orjson.dumps({"imageferry": "plan", "format": FORMAT, **asdict(header), "reading": reading}) + b"\n"


def read_header(row: dict[str, Any]) -> Header:
    """The header back from its line.

    Raises CheckpointError where it is not one, or of a newer format.
    """
    if row.get("imageferry") != "plan":
        raise CheckpointError("this is not a plan file")
    if row.get("format") != FORMAT:
        raise CheckpointError(
            f"its format is {row.get('format')!r}, this version reads {FORMAT}: use a newer imageferry"
        )
    try:
        fields = {k: v for k, v in row.items() if k not in {"imageferry", "format", "reading"}}
        reading = Reading(Renumbering(row["reading"]["put"]), row["reading"]["post"])
        return Header(**fields, reading=reading)
    except (KeyError, TypeError, ValueError):
        raise CheckpointError("it is damaged: its header lacks something, or has something that no plan has") from None


def summary_line(summary: Summary, digest: str) -> bytes:
    """The last line of a plan file: the counts, and the digest of every byte before it."""
    return orjson.dumps({"summary": asdict(summary), "digest": digest}) + b"\n"


def read_summary(row: dict[str, Any]) -> tuple[Summary, str]:
    """Summary and digest back from the last line.

    Raises CheckpointError where the line is not one.
    """
    try:
        return Summary(**row["summary"]), str(row["digest"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"its last line is not a plan's summary ({error})") from None


def _wanted_row(image: Wanted) -> dict[str, Any]:
    row: dict[str, Any] = {"image_file": image.image_file}
    if image.description is not None:
        row["description"] = image.description
    if image.sort_order is not None:
        row["sort_order"] = image.sort_order
    if image.is_thumbnail is not None:
        row["is_thumbnail"] = image.is_thumbnail
    if image.version is not None:
        row["version"] = image.version
    row["line"] = image.line
    return row


def _present_row(image: Present) -> dict[str, Any]:
    row: dict[str, Any] = {
        "image_id": image.image_id,
        "image_file": image.image_file,
        "description": image.description,
        "sort_order": image.sort_order,
        "is_thumbnail": image.is_thumbnail,
    }
    if image.url is not None:
        row["url"] = image.url
    return row


def _create_row(create: Create) -> dict[str, Any]:
    row: dict[str, Any] = {"row": create.row}
    if create.replaces is not None:
        row["replaces"] = create.replaces
    row.update(create.fields)
    return row


def _without_empty(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value not in (None, [], {}, False) or name == "product_id"}
