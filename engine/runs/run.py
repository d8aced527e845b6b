"""One writing run from manifest to report: settle what is in doubt, survey, judge, carry, remember.

`migrate`, `sync` and `apply` are cuts of this one pipe; it wires the rooms together and decides nothing itself.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import orjson

from ..core.checkpoint.ledger import Ledger
from ..core.diff.renumbering import Reading, Renumbering
from ..core.errors import CheckpointError, UnsafePlanError
from ..core.image_files import GONE
from ..core.plan.guards import Former, judge
from ..core.plan.run_header import failed, unsure
from ..core.plan.why_not_resumed import unlike
from ..core.reconcile.rejection_streak import Refusals
from ..core.reconcile.traits import Seen
from ..disk.checkpoint.identities import joined, lessons, resent_by
from ..disk.checkpoint.journal import Journal
from ..disk.manifest.writer import write_failed
from ..images.backup import Backup
from ..images.download import Pictures
from .context import Interrupted
from .executor import Carry
from .product.io import Tools, seen_by
from .product.reconciler import Errand
from .resume import plan_of_unfinished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ..core.image_format.truncated import CutFiles
    from ..core.plan.batch import Batch, Header
    from ..core.reconcile.duplicates import Resent
    from ..core.results import Report
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.checkpoint.run_files import Unfinished
    from ..disk.plan_file import PlanFile
    from ..options import Options
    from ..progress import Progress, Stop
    from ..transport.client import Gate
    from ..transport.store import Store
    from .context import Seams


TWINS_MAY_COME = 3600.0
"""Seconds after a run in which those that begin to list still look for late twins of what it sent again."""


class Ferry:
    """A writing run under a held lock, with its checkpoint loaded and the store connected."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        store: Store,
        gate: Gate,
        options: Options,
        seams: Seams,
        progress: Progress,
        stop: Stop,
        files: Path,
        cut: CutFiles,
    ) -> None:
        self.checkpoint = checkpoint
        self._store = store
        self._gate = gate
        self._options = options
        self._seams = seams
        self._progress = progress
        self._stop = stop
        self._files = files
        self._cut = cut
        self._seen = seen_by(checkpoint)
        self._plan: PlanFile | None = None
        self._ledger = Ledger()
        self._kept: list[str] = []
        self._failed_before: frozenset[int] = frozenset()
        self._resumed = False
        self._unlike = "it is another one's"

    def resumes(self, command: str, header: Header | None, digest: str | None) -> PlanFile | None:
        """The plan of an unfinished run that this command goes on with, or None where it is another one's.

        Raises CheckpointError where the unfinished run's plan is missing or damaged.
        """
        unfinished = self.checkpoint.unfinished
        if unfinished is None:
            return None
        plan = self.plan_of(unfinished)
        told = unfinished.header
        if told["command"] != command or digest != plan.digest:
            self._unlike = unlike(told["command"], plan.header, command, header)
            if self._unlike:
                return None
        self._plan, self._ledger = plan, unfinished.ledger
        self._resumed = True
        return plan

    def plan_of(self, unfinished: Unfinished) -> PlanFile:
        """The plan that an unfinished run was carrying out.

        Raises CheckpointError where it is missing or damaged.
        """
        return plan_of_unfinished(self._seams.disk, self.checkpoint.paths.plan, unfinished)

    async def settle_fresh(self) -> None:
        """With --fresh a run that was set aside is settled first where creates of it are in doubt, lest they be sent again.

        Where its plan can't be read any more, they are waited for and forgotten: what has appeared is told by its name.
        """
        unfinished = self.checkpoint.unfinished
        if unfinished is None:
            return
        doubt = unfinished.ledger.creates_in_doubt()
        whose = f"{doubt} create{'s' if doubt > 1 else ''} of the run that was set aside"
        try:
            self.plan_of(unfinished)
        except CheckpointError as error:
            self._progress.say(
                f"{whose} may still appear, and cannot be told any more, for its plan can't be read ({error}). "
                f"Nothing is listed before they had the time to: {self._options.settle:g} s"
            )
            with anyio.move_on_after(self._options.settle) as scope:
                self._stop.on_drain(scope.cancel)
                await anyio.sleep_forever()
            if self._stop.draining:
                raise Interrupted from None
            self.checkpoint.forget_unfinished()
        else:
            await self.settle_former(f"{whose} may have happened: looked for first")

    async def settle_former(self, why: str = "") -> None:
        """Find out what became of an unfinished run's creates, and keep what is known; then its journal is over."""
        unfinished = self.checkpoint.unfinished
        if unfinished is None:
            return
        self._plan, self._ledger = self.plan_of(unfinished), unfinished.ledger
        self._remember_seen()
        self._progress.say(
            why
            or f"an unfinished run was found that is not gone on with: {self._unlike}. What it has in doubt is settled first, "
            "then a new plan is made"
        )
        doubtful = {p for p, course in self._ledger.courses.items() if any(c.in_doubt for c in course.changes.values())}
        async with self._journalling(None) as journal:
            tools = self._tools(journal, mirror=False, relist=False)
            tools.settle_only = True
            batches = (batch for batch in self._plan.batches() if batch.product_id in doubtful)
            carry = Carry(tools, self._progress, self._stop, self._gate.remaining)
            await carry.run(batches, lambda: self._gate.workers)
        if carry.ended_by is not None:
            raise carry.ended_by
        if self._stop.draining:
            raise Interrupted
        self._ledger.resent.update(resent_by(self._plan, self._ledger))
        former = self.checkpoint.header or {}
        kept: dict[str, Any] = {key: former[key] for key in ("wanted", "report") if key in former}
        over = {"state": "interrupted", "finished_at": self._seams.now()}
        await self._compact({**unfinished.header, **kept, **over})
        self._plan, self._ledger = None, Ledger()

    def _remember_seen(self) -> None:
        """What an earlier process of this run saw the store do holds for this one."""
        told = self._ledger.seen
        if told is not None:
            self._seen = Seen(Reading(Renumbering(told["put"]), told["post"]), told["names_lost"])
            self._seen.delete_many = told.get("delete_many", True)

    def judge(self, plan: PlanFile) -> None:
        """The guards, before the first write.

        Raises UnsafePlanError.
        """
        options, wanted = self._options, (self.checkpoint.header or {}).get("wanted")
        former = None if wanted is None or plan.header.selection else Former(wanted)
        judge(
            plan.summary,
            max_deletes=options.max_deletes,
            former=former,
            allow_shrink=options.allow_shrink,
            allow_missing=options.allow_missing,
        )

    def objection(self, plan: PlanFile) -> str | None:
        """What a guard would say to the plan, None where it would pass."""
        try:
            self.judge(plan)
        except UnsafePlanError as error:
            return str(error)
        return None

    async def carry(self, command: str, plan: PlanFile, *, relist: bool) -> bool:
        """Carry the plan into the store, from where its journal stands; True where it came to its end."""
        unfinished = self.checkpoint.unfinished
        self._plan = plan
        self._failed_before = failed(self.checkpoint.header or {})
        if unfinished is not None:
            self._ledger = unfinished.ledger
            self._failed_before |= self._ledger.failed_products()
            self._remember_seen()
            for product_id in self._ledger.failures:
                self._ledger.reopen(product_id)
            run = None
        else:
            run = {
                "run": f"{self._seams.chance.getrandbits(64):016x}",
                "command": command,
                "plan": plan.digest,
                "started_at": self._seams.now(),
            }
        summary = plan.summary
        images = summary.creates + summary.updates + summary.deletes
        self._progress.begin("applying", products=summary.changed_products, images=images)
        totals = self._ledger.totals
        done = totals.created + totals.updated + totals.deleted
        self._progress.go_on(totals.products_done, done)
        self._progress.expect(max(0, summary.calls(relist=relist) - done), lambda: self._gate.requests)
        complete = False  # a cut ends the block below without a word
        async with self._backing_up(plan) as backup, self._journalling(run) as journal:
            tools = self._tools(journal, mirror=plan.header.mirror, relist=relist, backup=backup)
            carry = Carry(tools, self._progress, self._stop, self._gate.remaining)
            complete = await carry.run(self._open_batches(plan, carry, tools), lambda: self._gate.workers)
        if carry.ended_by is not None:
            raise carry.ended_by
        return complete and not self._ledger.unknown()

    def _open_batches(self, plan: PlanFile, carry: Carry, tools: Tools) -> Iterator[Batch]:
        """What is still to do; a finished product whose last look is still due is handed to the carry for that.

        Products that failed before come last: whatever they fail of once more, the others are reached.
        """
        over = self._ledger.finished - self._ledger.doubted
        yield from self._opened(plan.batches(but=over | self._failed_before), carry, tools)
        if self._failed_before:
            yield from self._opened(plan.batches(but=over, only=self._failed_before), carry, tools)

    def _opened(self, batches: Iterator[Batch], carry: Carry, tools: Tools) -> Iterator[Batch]:
        for batch, memory in joined(batches, self.checkpoint.memories() if tools.relist else ()):
            if batch.product_id in self._ledger.finished:
                carry.doubted.append(Errand(batch, tools))
            else:
                # What the plan knows under a new spelling of its address is not learned again under the old one.
                planned = {pair[0] for pair in batch.memory.values()}
                batch.since = {
                    source: pair
                    for source, pair in memory.items()
                    if pair[0] not in planned
                    or (source.startswith(GONE) and batch.memory.get(source, (0,))[0] != pair[0])
                }
                yield batch

    def _tools(self, journal: Journal, *, mirror: bool, relist: bool, backup: Backup | None = None) -> Tools:
        return Tools(
            store=self._store,
            journal=journal,
            ledger=self._ledger,
            stop=self._stop,
            progress=self._progress,
            seen=self._seen,
            mirror=mirror,
            relist=relist,
            settle=self._options.settle,
            files=self._files,
            cut=self._cut,
            refusals=Refusals(self._failed_before),
            backup=backup,
        )

    @asynccontextmanager
    async def _backing_up(self, plan: PlanFile) -> AsyncIterator[Backup | None]:
        options = self._options
        if options.backup is None:
            yield None
            return
        async with self._seams.fetch() as fetch:
            pictures = Pictures(
                fetch,
                stall_after=options.stall_after,
                give_up_after=options.give_up_after,
                stop=self._stop,
                say=self._progress.say,
            )
            store, folder = str(self.checkpoint.store), options.backup.absolute()
            mark = f"{self._seams.chance.getrandbits(64):016x}"
            backup = Backup(self._seams.disk, folder, store, pictures, options.storefront_url, mark=mark)
            try:
                backup.refuse_links(batch.product_id for batch in plan.batches() if batch.changes.deletes)
                yield backup
            finally:
                self._kept = backup.told()
                backup.close()

    @asynccontextmanager
    async def _journalling(self, run: dict[str, Any] | None) -> AsyncIterator[Journal]:
        """The journal while it is written: begun where `run` is given, else gone on with after its last whole line."""
        disk, path = self._seams.disk, self.checkpoint.paths.journal
        if run is None and self.checkpoint.unfinished is not None:
            disk.truncate(path, self.checkpoint.unfinished.torn)
            run = self.checkpoint.unfinished.header
            file = disk.append(path)
        else:
            file = disk.create(path)
            file.write(self.checkpoint.journal_header(run or {}))
            await file.sync()
        self._run = run or {}
        journal = Journal(file)
        journal.note({"event": "started", "at": self._seams.now()})
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.run)
                with anyio.CancelScope() as scope:
                    self._stop.on_cut(scope.cancel)
                    yield journal
                if self._stop.draining:
                    journal.note({"event": "stopped", "why": self._stop.reason or "interrupted"})
                journal.close()
        finally:
            journal.flush()
            file.close()

    async def finish(self, report: Report) -> None:
        """Keep what the run taught, and be done with it."""
        plan = self._plan
        if plan is None:
            return
        await self.keep_failed(report)
        former = self.checkpoint.header or {}
        wanted = former.get("wanted") if plan.header.selection else plan.summary.wanted
        outcome = {"wanted": wanted, "state": "finished", "finished_at": self._seams.now()}
        kept = {"manifest": plan.header.manifest, "digest": plan.header.digest, "mode": plan.header.mode}
        run = {**self._run, **kept, **outcome, **self._to_retry(plan.header), "report": _without_failures(report)}
        # Whoever allowed it knows that they are gone; else they would be missed every night from now on.
        await self._compact(run, forget_missing=self._options.allow_missing)

    def _to_retry(self, header: Header) -> dict[str, Any]:
        """Which products failed, and of which listing the others are known to be as asked."""
        own = {"selection": header.selection, "files": header.files, "listed_at": header.listed_at}
        doubted = self._ledger.unsure | (unsure(self.checkpoint.header or {}) if header.retry_of else frozenset())
        return {"failed": sorted(self._ledger.failed_products()), "unsure": sorted(doubted), **own}

    async def keep_failed(self, report: Report) -> None:
        """Write down the products that failed, whole, as a manifest; the rows of an undo are no manifest's."""
        if self._plan is not None and self._plan.header.mode != "undo":
            await write_failed(self._seams.disk, self.checkpoint.paths.failed, self._plan, self._ledger, report)

    async def _compact(self, run: dict[str, Any], *, forget_missing: bool = False) -> None:
        if self._plan is not None:
            journal = self.checkpoint.paths.journal
            # What a run that finished since has learned is better than an older plan's listing.
            older = (self.checkpoint.header or {}).get("finished_at", 0) > self._plan.header.made_at
            newer = self.checkpoint.memories() if older else None
            learned = lessons(
                self._seams.disk, journal, self._plan, self._ledger, newer=newer, forget_missing=forget_missing
            )
            totals = self._ledger.totals
            run["changed"] = bool(totals.created or totals.updated or totals.deleted or self._ledger.unknown())
            if resent := self._resent(self._plan.header, run):
                run["resent"] = {str(product_id): sources for product_id, sources in resent.items()}
            await self.checkpoint.compact(run, self._seen, learned)
        self.checkpoint.unfinished = None
        self.checkpoint.load()

    def _resent(self, header: Header, run: dict[str, Any]) -> dict[int, Resent]:
        """The creates that may still get a twin: of this run, and of one that ended less than an hour before this began to list."""
        former = self.checkpoint.header or {}
        # An apply lists each product anew, whenever its plan was made.
        began = header.made_at if header.resumable else run.get("started_at", self._seams.now())
        recent = began - float(former.get("finished_at", 0.0)) < TWINS_MAY_COME
        return (self.checkpoint.resent() if recent else {}) | self._ledger.resent

    def tell(self, report: Report) -> None:
        """Put what the run has done so far into its report."""
        self._ledger.tell(report)
        report.resumed = self._resumed
        report.notes += [note for note in self._kept if note not in report.notes]
        if self._plan is not None:
            self._plan.summary.tell(report)


def _without_failures(report: Report) -> dict[str, Any]:
    row: dict[str, Any] = orjson.loads(orjson.dumps(report))
    row.pop("failures")
    return row
