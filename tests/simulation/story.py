"""A world told for a person: how each process ended, and one product's story from both sides, the shop's and the journal's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from .history import Sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .history import Shown
    from .laws import Breach
    from .world import World

_JOURNAL_SAYS = ("fields", "image_id", "image_ids", "reason", "status", "failures", "images")
Line = tuple[float, str]


def told(world: World, breaches: list[Breach]) -> Iterator[str]:
    """The whole report on a seed that broke laws."""
    for breach in breaches:
        yield f"BROKEN {breach.law}: {f'product {breach.product}: ' if breach.product else ''}{breach.text}"
    yield from setting(world)
    yield from nights(world)
    first = next((b for b in breaches if b.product), None)
    if first is not None:
        yield from product(world, first.product)


def setting(world: World) -> Iterator[str]:
    """The habits of shop and user that are not the plainest."""
    config, plain = world.config, type(world.config)()
    names = [n for n in config.__slots__ if getattr(config, n) != getattr(plain, n)]
    skipped = {"store_hash", "access_token", "seed", "fetch", "products"}
    yield "shop: " + ", ".join(f"{n}={getattr(config, n)}" for n in names if n not in skipped)
    yield "options: " + ", ".join(f"{name}={value}" for name, value in world.scenario.settings.items())


def nights(world: World) -> Iterator[str]:
    """Return the story, process by process."""
    for number, night in enumerate(world.scenario.nights):
        faults = ", ".join(
            f"{f.kind} {f.share:g} {'/'.join(f.methods)} {f.seconds or ''}".strip() for f in night.faults
        )
        deeds = ", ".join(f"{d.kind} in {d.product} after {d.at:.1f} s" for d in night.deeds)
        yield (
            f"night {number}: {night.mode}{'' if night.noisy else ', quiet'}"
            + (f"; faults: {faults}" if faults else "")
            + (f"; others: {deeds}" if deeds else "")
        )
        for start in world.starts:
            if start.night == number:
                what = _report(start.report) if start.report is not None else str(start.error or "")
                yield f"  process {start.number}: {start.began:.3f} to {start.ended:.3f}, {start.ending} {what}"


def _report(report: Any) -> str:
    counts = ("created", "updated", "deleted", "adopted", "failed", "unknown")
    return ", ".join(f"{getattr(report, name)} {name}" for name in counts) + "".join(
        f"\n    failure: {f.product_id} {f.image_file} {f.image_id} {f.status}: {f.reason}" for f in report.failures[:6]
    )


def product(world: World, number: int) -> Iterator[str]:
    """Everything that befell one product, in order."""
    yield f"product {number}:"
    for night in world.scenario.nights:
        row = next((row for row in night.rows if row["product_id"] == number), None)
        if row is not None:
            yield f"  wanted: {orjson.dumps(row['images']).decode()}"
    lines = [*_calls(world, number), *_happenings(world, number), *_ends(world)]
    yield from (f"  {at:9.3f} {text}" for at, text in sorted(lines, key=lambda line: line[0]))
    yield "  journal:"
    yield from _journal(world, number)


def _calls(world: World, number: int) -> Iterator[Line]:
    for call in world.line.sent:
        if call.product == number:
            where = f"#{call.number} of process {call.process}"
            yield call.at, f"{where}: {call.method} {call.path.partition('images')[2]} {_body(call)}"
            if call.told:
                usable = "" if call.usable or call.told != "answered" else ", unusable"
                yield call.told_at, f"{where}: {call.told} {call.status or ''}{usable}"


def _body(call: Sent) -> str:
    return orjson.dumps(call.body).decode() if call.body else ""


def _happenings(world: World, number: int) -> Iterator[Line]:
    for happening in world.shop.happenings:
        if happening.product == number:
            who = f"#{happening.actor.number}" if isinstance(happening.actor, Sent) else happening.actor
            yield happening.at, f"SHOP {happening.kind} {happening.images} by {who} -> {_gallery(happening.after)}"


def _gallery(gallery: list[Shown]) -> str:
    return " ".join(f"{s.image_id}:{s.label}@{s.sort_order}{'*' if s.is_thumbnail else ''}" for s in gallery) or "empty"


def _ends(world: World) -> Iterator[Line]:
    for start in world.starts:
        yield start.ended, f"-- process {start.number} ends: {start.ending}"


def _journal(world: World, number: int) -> Iterator[str]:
    for name, data in world.papers.journals():
        rows = [_parsed(line) for line in data.splitlines()]
        ours = [row for row in rows if row.get("product_id") == number]
        if ours:
            yield f"    {name}:"
        for row in ours:
            more = {key: row[key] for key in _JOURNAL_SAYS if key in row}
            yield f"      {row['event']} {row.get('change', '')} {orjson.dumps(more).decode() if more else ''}"


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        row: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return row
