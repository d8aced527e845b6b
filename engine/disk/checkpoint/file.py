"""The checkpoint on disk: what finished runs taught (CHECKPOINT), and the unfinished run beside it (.journal, .plan).

CHECKPOINT is JSON Lines in product order, each line sealed: a header, `{"product_id": …, "images": {source: [image
id, version]}}` for each product, and an end line that counts them. It is only ever replaced whole. Where the store keeps
other values than were sent, a third part of an image's entry tells them: `{field: [asked, kept]}`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from ...core.checkpoint.ledger import Ledger
from ...core.checkpoint.records import is_whole, seal, unseal
from ...core.checkpoint.replay import replay
from ...core.diff.renumbering import Renumbering, RenumberingModel
from ...core.errors import CheckpointError
from ...core.plan.run_header import FIELDS
from ..sorter import ExternalSorter
from .lines import FORMAT, PRODUCT, copy, merge, read_identities
from .run_files import UNDONE, OpenRun, RunFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ...core.identities import IdentityMap
    from ...core.reconcile.duplicates import RetriedCreates
    from ...core.reconcile.traits import StoreTraits
    from ..interface import Disk

IDENTITIES_HELD = 4 * 1024 * 1024
"""Bytes of lessons kept in memory before they are sorted on disk: a first run learns every product of the store."""


class Checkpoint:
    """Reads what is there; writes a new one when a run is over."""

    def __init__(self, disk: Disk, path: Path, store: str | None, scratch: Path | None = None) -> None:
        """`store` is the one it must belong to; None takes any (status). `scratch`: see `RunFiles`."""
        self.paths = RunFiles(path, scratch)
        self._disk = disk
        self.store = store
        self.header: dict[str, Any] | None = None
        self.open_run: OpenRun | None = None
        self.already_closed = False

    def load(self) -> None:
        """Read and check all of it.

        Raises CheckpointError naming the line where it is damaged, of another store or of a newer format.
        """
        if self._disk.size(self.paths.checkpoint) is not None:
            self.header = self._check()
        if self._disk.size(self.paths.journal):
            self.open_run = self._replay(self.paths.journal, Ledger())
        if self.open_run and self.header and self.open_run.header["run"] == self.header.get("run"):
            # The run was over and its outcome kept; only the cleaning up was cut short (`retire` makes up for it).
            self.open_run, self.already_closed = None, True

    def copy_unfinished(self) -> None:
        """Copy the unfinished run's files to the scratch folder, as far as they were read; for who holds no lock.

        Raises DiskError, CheckpointError where another process takes them away meanwhile: then load again.
        """
        if self.open_run is None or self.paths.scratch is None or self._disk.size(self.paths.plan) is None:
            return
        copied = replace(self.paths, copied=True)
        copy(self._disk, self.paths.journal, copied.journal, self.open_run.whole_bytes)
        copy(self._disk, self.paths.plan, copied.plan)
        self.paths = copied

    def _check(self) -> dict[str, Any]:
        header: dict[str, Any] | None = None
        last, number = b"", 0
        for number, line in enumerate(self._disk.lines(self.paths.checkpoint), 1):
            if not is_whole(line):
                raise self._damaged(self.paths.checkpoint, number, "the line is not as it was written")
            header = header or self._header(self.paths.checkpoint, line, "checkpoint")
            last = line
        if header is None or unseal(last).get("end") != number - 2:
            raise self._damaged(self.paths.checkpoint, number, "its end is missing")
        return header

    def _header(self, path: Path, line: bytes, kind: str) -> dict[str, Any]:
        row = unseal(line)
        if row.get("imageferry") != kind:
            raise CheckpointError(f"{path}: this is not a {kind} of imageferry; give another --checkpoint")
        if row.get("format") != FORMAT:
            raise CheckpointError(
                f"{path}:1: its format is {row.get('format')!r}, this version reads {FORMAT}: use a newer imageferry. It was left as it is."
            )
        if self.store is not None and row.get("store") != self.store:
            raise CheckpointError(
                f"{path}:1: it belongs to the store {row.get('store')}, this run is for {self.store}: give another --checkpoint, "
                "or the right --store-hash. It was left as it is."
            )
        wrong = [name for name, kind in FIELDS.items() if name in row and not isinstance(row[name], kind)]
        if wrong:
            raise self._damaged(path, 1, f"its {wrong[0]} makes no sense")
        return row

    def _damaged(self, path: Path, line: int, what: str) -> CheckpointError:
        return CheckpointError(
            f"{path}:{line}: the checkpoint is damaged: {what}. It was left as it is: restore a copy, or move it away and "
            "start without it (images are then told by their names)."
        )

    def _replay(self, path: Path, ledger: Ledger, *, whole: bool = False) -> OpenRun | None:
        """A journal's header and its events; None where not even the header is whole, for then nothing was sent."""
        lines = self._disk.lines(path)
        first = next(lines, b"")
        if not is_whole(first):
            if any(map(is_whole, lines)):
                raise self._damaged(path, 1, "the line is not as it was written")
            return None
        header = self._header(path, first, "journal")
        size = replay(lines, ledger, lambda number, what: self._damaged(path, number, what), whole=whole)
        return OpenRun(header, ledger, len(first) + size)

    def identities(
        self, learned_identities: Iterable[tuple[int, IdentityMap]] = ()
    ) -> Iterator[tuple[int, IdentityMap]]:
        """What is known, product by product, in product order: by finished runs, and what was `learned` since."""
        with self._identity_lines(learned_identities) as lessons:
            for line in merge(self._old_lines(), lessons, self.paths.checkpoint):
                yield read_identities(line, self.paths.checkpoint)

    def _identity_lines(self, learned: Iterable[tuple[int, IdentityMap]]) -> ExternalSorter:
        lessons = ExternalSorter(self.paths.temporary(".lessons"), IDENTITIES_HELD)
        for sequence, (product_id, memory) in enumerate(learned):
            lessons.add(product_id, sequence, orjson.dumps(memory))
        return lessons

    def reading(self) -> RenumberingModel:
        """How the store was seen to renumber; what the documentation says where nothing was seen."""
        said = (self.header or {}).get("reading", {})
        update = Renumbering(said.get("put", Renumbering.RAISED.value))
        return RenumberingModel(update, said.get("post"), update_seen=bool(said.get("put_seen")))

    def renames_files(self) -> bool:
        """Whether the store was seen to lose file names."""
        return bool((self.header or {}).get("names_lost"))

    def retried_creates(self) -> dict[int, RetriedCreates]:
        """The products in which the former run sent a create again after a look in vain, with what was there in the end."""
        return {int(product_id): resent for product_id, resent in (self.header or {}).get("resent", {}).items()}

    def wrote_until(self) -> float:
        """Return when (wall clock) the last run that changed anything was over; 0 where none did."""
        header = self.header or {}
        former = header.get("finished_at", 0.0) if header.get("changed") else 0.0
        return float(header.get("wrote_until", former))

    def trusted_from(self, settle: float) -> float:
        """Return when (wall clock) a listing is sure to show what former runs wrote: a settle after the last write."""
        return self.wrote_until() + settle if self.wrote_until() else 0.0

    def journal_header(self, run: dict[str, Any]) -> bytes:
        """The first line of a journal."""
        return seal({"imageferry": "journal", "format": FORMAT, "store": self.store, **run})

    async def compact(self, run: dict[str, Any], seen: StoreTraits, learned: Iterable[tuple[int, IdentityMap]]) -> None:
        """Merge what a run learned into CHECKPOINT; of several lessons on one product the last one holds."""
        made = self.paths.sibling(".new")
        own = {"imageferry": "checkpoint", "format": FORMAT, "store": self.store}
        header = {
            **own,
            **run,
            "history": self._history_after(run),
            **own,  # what was a journal's header becomes a checkpoint's
            "reading": {
                "put": seen.renumbering.on_update.value,
                "post": seen.renumbering.on_create,
                "put_seen": seen.renumbering.update_seen,
            },
            "names_lost": seen.renames_files,
            "delete_many": seen.delete_many,
        }
        with self._identity_lines(learned) as lessons:
            file = self._disk.create(made)
            try:
                count = 0
                buffer = [seal(header)]
                for line in merge(self._old_lines(), lessons, self.paths.checkpoint):
                    count += 1
                    buffer.append(line)
                    if len(buffer) >= 1024:
                        file.write(b"".join(buffer))
                        buffer.clear()
                buffer.append(seal({"end": count}))
                file.write(b"".join(buffer))
                await file.sync()
            finally:
                file.close()
        await self._disk.replace(made, self.paths.checkpoint)
        self.close_run(changed=bool(run.get("changed")))

    def _old_lines(self) -> Iterator[bytes]:
        if self.header is not None:
            for line in self._disk.lines(self.paths.checkpoint):
                if line.startswith(PRODUCT):
                    yield line

    def close_run(self, *, changed: bool) -> None:
        """Close the run. Its plan and journal become the history that undo reads, if it changed anything.

        The plan is renamed first: a plan without its journal would look like an interrupted listing.
        """
        changed = changed and self._disk.size(self.paths.journal) is not None
        for path, history in zip((self.paths.plan, self.paths.journal), self.paths.history, strict=True):
            if self._disk.size(path) is None:
                continue
            if changed:
                self._disk.rename(path, history)
            else:
                self._disk.remove(path)

    def history(self) -> tuple[Path, OpenRun] | None:
        """What the last run that changed anything did: where its plan lies, and its events with every course kept.

        Raises CheckpointError where the history is damaged.
        """
        places = ((self.paths.plan, self.paths.journal), self.paths.history)
        for plan, journal in places:
            if self._disk.size(journal) is not None:
                told = self._replay(journal, Ledger(keep_all=True), whole=True)
                if told is not None:
                    return plan, told
        return None

    def history_size(self) -> int:
        """How many bytes `history` has to read."""
        return sum(self._disk.size(path) or 0 for path in (self.paths.journal, self.paths.history[1]))

    def reopen(self, digest: str) -> bool:
        """The plan of that digest was carried out by the last run: take its journal up again, for what failed then."""
        plan, journal = self.paths.history
        header = self.header or {}
        if self.open_run is not None or header.get("plan") != digest or self._disk.size(journal) is None:
            return False
        if header.get("state") == UNDONE:
            return False
        told = self._replay(journal, Ledger())
        if told is None or told.header.get("plan") != digest:
            return False
        self._disk.rename(journal, self.paths.journal)
        self._disk.rename(plan, self.paths.plan)
        self.open_run = told
        return True

    def _history_after(self, run: dict[str, Any]) -> str | None:
        """The run that the history will be of: this one if it changed anything, else the one that lies there."""
        if run.get("changed"):
            return str(run.get("run"))
        there = self._disk.size(self.paths.history[1]) is not None
        return (self.header or {}).get("history") if there else None

    def missing_history(self) -> Path | None:
        """The part that undo needs and that is not there, as where a checkpoint was copied without it; None if none lacks."""
        header = self.header or {}
        plan, journal = self.paths.history
        if self._disk.size(journal) is not None:
            return plan if self._disk.size(plan) is None else None
        kept = header.get("history", header.get("run") if header.get("changed") else None)
        waits = self.open_run is not None or self.already_closed  # then what undo reads is not in the history yet
        return journal if kept is not None and header.get("state") != UNDONE and not waits else None

    def drop_history(self) -> None:
        """Remove the history of a run that was undone; the journal first, as one without its plan looks like a lost part."""
        for path in reversed(self.paths.history):
            self._disk.remove(path)

    def archive(self, now: int) -> list[Path]:
        """Rename an unfinished run's files out of the way (--fresh); returns their new names.

        Where creates are in doubt, copies of that name are made, and the run stays to be settled.
        """
        settle = self.open_run is not None and self.open_run.ledger.creates_in_doubt() > 0
        aside = []
        for path in (self.paths.journal, self.paths.plan):
            if self._disk.size(path) is not None:
                to = path.with_name(f"{path.name}.aside-{now}-{os.getpid()}")
                if settle:
                    copy(self._disk, path, to)
                else:
                    self._disk.rename(path, to)
                aside.append(to)
        self.open_run = self.open_run if settle else None
        return aside

    def forget_unfinished(self) -> None:
        """The unfinished run was set aside, and nothing more can be learned of it."""
        for path in (self.paths.journal, self.paths.plan):
            self._disk.remove(path)
        self.open_run = None
