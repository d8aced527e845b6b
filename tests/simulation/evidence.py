"""Evidence for the laws: who created an image, what was known when, and changes by others."""

from __future__ import annotations

import re
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

from imageferry.jobs.sandbox.shop.rules import as_kept

from .history import Life, Sent, Shown
from .judge import SIGNED, label_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imageferry.jobs.sandbox.config import Config

    from .draw import Night
    from .manifests import Row
    from .program import Start
    from .world import World


_UPDATE = re.compile(rb'"sent"[^\n]*"update:([0-9]+)"')
_AGAIN = {409, 423, 429}
"""Answers that say that nothing happened, and after which the same call is sent again."""
_UNSURE = 0.2
"""An answer that came so short before the end, in seconds, may or may not have been written down."""


def _texts(image: Row, config: Config) -> set[str]:
    """The text asked for, and what the store makes of it."""
    return {image["description"], as_kept(image["description"], config)}


class Evidence:
    """One world, looked at from all sides."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.nights: list[Night] = world.scenario.nights
        self.lives = world.shop.lives
        self.lag = world.config.list_lag
        self.settle: float = world.scenario.settings["settle"]
        self.names_lost = world.config.names == "lost"
        # Where every PUT moves siblings, which isn't what the documentation says, a listing from before the last PUT can
        # show just what is asked: nothing tells it from one after it on a store that does as documented.
        self.orders_hide = bool(self.lag) and world.config.renumber == "always"

    @cached_property
    def writes(self) -> list[Sent]:
        """Every write that the engine sent, in order."""
        return [call for call in self.world.line.sent if call.writes]

    def row(self, night: int, product: int) -> Row | None:
        """Return the product's rows in that run's manifest."""
        return next((row for row in self.nights[night].rows if row["product_id"] == product), None)

    def image_row(self, night: int, product: int, source: str) -> dict[str, Any]:
        """The image of that source in that night's manifest."""
        row = self.row(night, product)
        end = source.partition(SIGNED)[0]
        return next((i for i in row["images"] if i["image_file"].partition(SIGNED)[0].endswith(end)), {}) if row else {}

    def version(self, call: Sent) -> str | None:
        """The version of the bytes that a create brought."""
        return self.image_row(call.night, call.product, call.source).get("version")

    def wanted_all_along(self, earlier: Sent, later: Sent) -> bool:
        """Return True if every manifest from the one create to the other wanted that image with the same bytes."""
        rows = [self.image_row(n, later.product, later.source) for n in range(earlier.night, later.night + 1)]
        return all(row and row.get("version") == rows[0].get("version") for row in rows)

    def starts(self, night: int) -> list[Start]:
        """The night's processes."""
        return [start for start in self.world.starts if start.night == night]

    def last_start(self, night: int) -> Start:
        """The one that the night ended with."""
        return self.starts(night)[-1]

    def lost_at(self, call: Sent) -> float | None:
        """When it was known that a call's answer was lost (after a crash: when the next process began); None where it wasn't."""
        if call.told == "unsent" or (call.told == "answered" and call.usable and not self._died_on(call)):
            return None
        if call.told and not self._died_on(call):
            return call.told_at
        return next((start.began for start in self.world.starts if start.number > call.process), inf)

    def _died_on(self, call: Sent) -> bool:
        """Return True if the process ended before it can have kept the answer for sure."""
        start = self.world.starts[call.process - 1]
        if start.report is not None:
            return False
        if not call.told or call.told_at > start.ended - _UNSURE:
            return True
        # What no later intent was synced with is lost with the power, also a later process's, or with the disk.
        after = [other for other in self.starts(start.night) if other.number >= start.number]
        return any(other.power or other.ending == "DiskError" for other in after)

    def leaves_open(self, call: Sent) -> bool:
        """Return True if a write's intent was left without an outcome: its answer was lost, or the end came before it was sent again."""
        if not (call.told == "answered" and call.usable):
            return True
        report = self.world.starts[call.process - 1].report
        return call.status in _AGAIN and (report is None or report.unknown > 0)

    def could_know(self, earlier: Sent, later: Sent) -> bool:
        """Return True if whoever sent the later create had to know what came of the earlier one."""
        if not earlier.images or earlier.committed_at is None:
            return False
        if self._blind(later):
            return False
        lost_at = self.lost_at(earlier)
        if earlier.process == later.process and earlier.told:
            lost_at = None if earlier.usable else earlier.told_at
        if lost_at is None:
            return True
        if self.names_lost and not self._is_plain(earlier, later):
            return False
        return earlier.committed_at + self.lag <= lost_at + self.settle

    def _blind(self, call: Sent) -> bool:
        """Return True if the plan was made beside an unfinished run, so that it could not know what settling that run would find."""
        return self.nights[call.night].mode.startswith("apply") and self.starts(call.night)[0].goes_on

    def _is_plain(self, earlier: Sent, later: Sent) -> bool:
        """Without names: whether only one image can be the create's, and a confirmed create had shown that names are lost."""
        creates = [c for c in self.writes if c.verb == "create" and c.number < later.number and c is not earlier]
        rivals = [
            c
            for c in creates
            if c.product == earlier.product and c.night == later.night and self.lost_at(c) is not None
        ]
        seen = any(c.number < earlier.number and c.images and self.lost_at(c) is None for c in creates)
        crashed = any(start.report is None and start.number < later.process for start in self.starts(later.night))
        return (
            seen
            and not rivals
            and not crashed
            and earlier.night == later.night
            and not self.nights[earlier.night].deeds
        )

    def may_guess(self, night: int) -> bool:
        """Return True if a stranger's image may rightly be taken for a create's: the store loses names, and others were about."""
        return self.names_lost and bool(self.nights[night].deeds)

    @cached_property
    def intended(self) -> set[int]:
        """Every image whose update was ever meant, by any journal."""
        return self.world.papers.numbers(_UPDATE)

    def is_late(self, call: Sent) -> bool:
        """Return True if a write was carried out after its caller had been told something, or had gone."""
        if call.committed_at is None:
            return False
        lost_at = self.lost_at(call)
        return lost_at is not None and call.committed_at > (
            call.told_at if call.told else self.world.starts[call.process - 1].ended
        )

    def late_writes(self, night: int) -> list[Sent]:
        """The night's writes that landed after their answer."""
        return [call for call in self.writes if call.night == night and self.is_late(call)]

    def taken(self) -> Iterator[tuple[Life, Sent]]:
        """Every image that the engine took away, and by which call."""
        for life in self.lives.values():
            if isinstance(life.taker, Sent):
                yield life, life.taker

    def is_ours(self, life: Life) -> bool:
        """Return True if the engine made it."""
        return isinstance(life.maker, Sent)

    def is_theirs(self, life: Life) -> bool:
        """Return True if somebody else made it, after the beginning."""
        return not self.is_ours(life) and life.born > self.world.night_began[0]

    def standing(self, product: int, label: str, at: float) -> list[Life]:
        """The images of that label that stand at a moment."""
        return [
            life for life in self.lives.values() if (life.product, life.label) == (product, label) and life.alive(at)
        ]

    def gallery(self, product: int, at: float) -> list[Shown]:
        """The product as it stood at a moment."""
        after: list[Shown] = []
        for happening in self.world.shop.happenings:
            if happening.product == product and happening.at <= at:
                after = happening.after
        return after

    def touched_by_others(self, product: int, call: Sent) -> bool:
        """Return True if somebody else changed the product in that night before this call."""
        began = self._run_began(call)
        return any(h.product == product and not h.ours and began <= h.at <= call.at for h in self.world.shop.happenings)

    def not_yet(self, image: Row, call: Sent) -> str | None:
        """Return the wanted images that the engine had not created when a delete was sent."""
        name = label_of(image)
        there = [shown for shown in call.gallery if shown.label == name]
        if not there:
            excused = self.taken_by_others(call.product, name, call) or self.may_guess(call.night)
            return None if excused else f"{name} is there"
        if "description" not in image or self.touched_by_others(call.product, call):
            return None
        told = any(shown.description in _texts(image, self.world.config) for shown in there)
        return None if told else f"{name} has its description"

    def taken_by_others(self, product: int, label: str, call: Sent) -> bool:
        """Return True if somebody else took an image of that label away in that night before this call."""
        began = self._run_began(call)
        return any(
            (life.product, life.label) == (product, label)
            and life.died is not None
            and began <= life.died <= call.at
            and not isinstance(life.taker, Sent)
            for life in self.lives.values()
        )

    def came_meanwhile(self, life: Life, call: Sent) -> bool:
        """Return True if an image was added after the run's plan was made, and in time to be seen before the delete."""
        run = self.run_of(call.process)
        first = next((c.at for c in self.writes if c.process >= run), inf)
        looked = [
            c.at for c in self.world.line.sent if c.verb == "get" and c.product == life.product and c.at < call.at
        ]
        seen = call.verb != "empty" or life.born + self.lag < (looked[-1] if looked else 0.0)
        return life.born > first and seen and not self.is_late(call)

    def _run_began(self, call: Sent) -> float:
        """When the run of this call first listed anything, at the earliest as a listing that lags may show it."""
        return self.world.starts[self.run_of(call.process) - 1].began - self.lag

    def named_in_failures(self) -> set[int | None]:
        """Every image that a report named as failed."""
        reports = [start.report for start in self.world.starts if start.report is not None]
        return {failure.image_id for report in reports for failure in report.failures}

    def run_of(self, process: int) -> int:
        """The process with which the run began that this one goes on with."""
        while process > 1:
            start, former = self.world.starts[process - 1], self.world.starts[process - 2]
            here, there = self.nights[start.night], self.nights[former.night]
            same = start.night == former.night or (
                here.mode == there.mode and here.mode in {"sync", "migrate"} and here.rows == there.rows
            )
            if not ((start.goes_on or start.half_listed) and same):
                return process
            process -= 1
        return process

    def resent(self, life: Life) -> bool:
        """Return True if the engine sent a create of that name more than once: then the only newcomer counts as its twin.

        One that was journalled by a process that then died may have been sent, as far as anybody can know.
        """
        made = [
            c
            for c in self.writes
            if c.verb == "create" and c.product == life.product and label_of(c.body) == life.label
        ]
        return len(made) > 1 or any(
            data.count(intent) > 1 for intent in self._intents(life) for _, data in self._journals
        )

    def _intents(self, life: Life) -> set[bytes]:
        """Return the start of a create's journal line for that image, in any run."""
        rows = [row for night in self.nights for row in night.rows if row["product_id"] == life.product]
        places = {n for row in rows for n, image in enumerate(row["images"]) if label_of(image) == life.label}
        return {b'{"event":"sent","product_id":%d,"change":"create:%d"' % (life.product, n) for n in places}

    @cached_property
    def _journals(self) -> list[tuple[str, bytes]]:
        return list(self.world.papers.journals())

    def is_own_twin(self, call: Sent) -> bool:
        """Return True if the image to be deleted was made by the engine in this very night, or counts as its twin."""
        life = self.lives.get(call.image)
        return life is not None and (
            (isinstance(life.maker, Sent) and life.maker.night == call.night) or self.resent(life)
        )
