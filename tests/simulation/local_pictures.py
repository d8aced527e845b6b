"""The local pictures of a story, drawn from its seed: most are usual, some sound but strange to decoders, some cut off. And their law."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from imageferry.jobs.sandbox.shop.pictures import made_up

from ..picture_corpus import CUT, SOUND
from .judge import label_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .draw import Night
    from .evidence import Evidence
    from .program import Start

_USUAL = made_up("simulation")
_ODD = [
    SOUND[name]
    for name in (
        "PNG with a text that unpacks to 2 MB",
        "PNG with a profile that unpacks to 2 MB",
        "BMP of 2 bits",
        "BMP of 32 bits, 10-10-10",
        "XBM with a dash in its name",
        "XBM, height before width",
    )
]
_CUT = [CUT[f"{kind}, cut at 50% of its pixels"] for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "XBM")]
_MOST_NAMED = 5
"""Of cut pictures, a run names so many and counts the others."""


def is_local(image_file: str) -> bool:
    """Return True if an image of a manifest is a local picture."""
    return image_file.startswith("local-")


def picture(seed: int, name: str) -> bytes:
    """The bytes of a local picture; whoever draws it anew gets the same."""
    chance = Random(f"imageferry {seed} local pictures {name}")
    way = chance.random()
    return chance.choice(_CUT if way < 0.35 else _ODD) if way < 0.6 else _USUAL


def warnings(case: Evidence) -> Iterator[tuple[int, str, str]]:
    """A run names the local pictures that are cut off, once, and no other: all that it checked, or, where it is an apply, uploaded."""
    for start in case.world.starts:
        names = _local(case.nights[start.night])
        cut = {name for name in names if picture(case.world.scenario.seed, name) in _CUT}
        for notes, looked_at in _told(case, start, names):
            said = [note for note in notes if "truncated" in note]
            named = {name for name in names if any(f'"{name}"' in note for note in said)}
            if len(said) > 1 or not named <= cut or len(named) < min(len(cut & looked_at), _MOST_NAMED):
                yield 0, "", f"process {start.number}: cut off are {sorted(cut)}, it says {said}"


def _local(night: Night) -> set[str]:
    return {image["image_file"] for row in night.rows for image in row["images"] if is_local(image["image_file"])}


def _told(case: Evidence, start: Start, names: set[str]) -> Iterator[tuple[list[str], set[str]]]:
    """Return the notes of each command, and the local images that it certainly checked."""
    planned = start.proposal.report if start.proposal is not None else None
    if planned is not None:
        yield planned.notes, names
    if start.report is not None and start.report is not planned:
        calls = [call for call in case.writes if call.process == start.number and call.verb == "create"]
        uploaded = {label_of(call.body) for call in calls}
        yield start.report.notes, uploaded if case.nights[start.night].mode.startswith("apply") else names
