"""Writes manifests: the products that failed, and text that a spreadsheet must not take for a formula."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from pathlib import Path

    from ...core.checkpoint.ledger import Ledger
    from ...core.results import Report
    from ..interface import Disk
    from ..plan_file import PlanFile


async def write_failed(disk: Disk, path: Path, plan: PlanFile, ledger: Ledger, report: Report) -> None:
    """Write the file where anything failed, and remove an old one where nothing did."""
    failed = ledger.failed_products()
    if not failed:
        disk.remove(path)
        return
    made = path.with_name(path.name + ".new")
    file = disk.create(made)
    try:
        for batch in plan.batches():
            if batch.product_id in failed:
                images = [
                    {name: value for name, value in asdict(image).items() if value is not None and name != "line"}
                    for image in batch.product.images
                ]
                file.write(orjson.dumps({"product_id": batch.product_id, "images": images}) + b"\n")
        await file.sync()
    finally:
        file.close()
    await disk.replace(made, path)
    report.failed_manifest = str(path)
