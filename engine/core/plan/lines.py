"""The lines of a plan file: how header, products and summary are written and read back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from ..diff.changes import Changes, Create, Update
from ..diff.renumbering import Renumbering, RenumberingModel
from ..errors import CheckpointError
from ..identities import IdentityMap, read_known_image
from ..model import StoredImage, Wanted, WantedProduct
from ..results import Failure
from .batch import Header, ProductPlan
from .summary import Summary

FORMAT = 1


def unchanged_line(
    product_id: int,
    images: int,
    present: int,
    memory: IdentityMap | None,
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


def batch_line(batch: ProductPlan, known: int, lost: int) -> bytes:
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
        "look": changes.recheck,
        "missing": batch.missing,
        "by_id": not batch.by_name,
        "failures": [asdict(failure) for failure in batch.failures],
        "left_alone": [asdict(failure) for failure in batch.skipped],
        "losses": batch.losses,
        "images": batch.identities,
        "guessed": batch.guessed,
        "known": known,
        "lost": lost,
    }
    return orjson.dumps(_without_empty(row)) + b"\n"


def read_line(row: dict[str, Any]) -> ProductPlan:
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
        return ProductPlan(
            WantedProduct(row["product_id"], wanted, row.get("line")),
            [StoredImage(**image) for image in row.get("present", ())],
            Changes(creates, updates, row.get("delete", []), row.get("look", False)),
            {source: read_known_image(known) for source, known in row.get("images", {}).items()},
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
    reading = {"put": header.reading.on_update.value, "post": header.reading.on_create}
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
        reading = RenumberingModel(Renumbering(row["reading"]["put"]), row["reading"]["post"])
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


def _present_row(image: StoredImage) -> dict[str, Any]:
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
