"""One writing run from manifest to report: settle what is in doubt, survey, judge, carry, remember.

`migrate`, `sync` and `apply` are cuts of this one pipe; it wires the rooms together and decides nothing itself.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import orjson

from ..core.checkpoint.ledger import Ledger
from ..core.diff.renumbering import Renumbering, RenumberingModel
from ..core.errors import CheckpointError, UnsafePlanError
from ..core.image_files import GONE
from ..core.plan.guards import PriorCounts, check_guards
from ..core.plan.run_header import failed, unsure
from ..core.plan.why_not_resumed import unlike
from ..core.reconcile.rejection_streak import Refusals
from ..core.reconcile.traits import StoreTraits
from ..disk.checkpoint.identities import joined, learned_identities, retried_by
from ..disk.checkpoint.journal import Journal
from ..disk.manifest.writer import write_failed
from ..images.backup import Backup
from ..images.download import PictureDownloader
from .context import Interrupted
from .executor import Executor
from .product.io import ProductIO, seen_by
from .product.reconciler import ProductReconciler
from .resume import plan_of_unfinished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ..core.image_format.truncated import CutFiles
    from ..core.plan.batch import Header, ProductPlan
    from ..core.reconcile.duplicates import RetriedCreates
    from ..core.results import Report
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.checkpoint.run_files import OpenRun
    from ..disk.plan_file import PlanFile
    from ..options import Options
    from ..progress import Progress, Stop
    from ..transport.client import ApiClient
    from ..transport.store import Store
    from .context import Ports


LATE_DUPLICATE_TIME = 3600.0
"""Seconds after a run in which those that begin to list still look for late twins of what it sent again."""


class Run:
    """A writing run under a held lock, with its checkpoint loaded and the store connected."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        store: Store,
        client: ApiClient,
        options: Options,
        ports: Ports,
        progress: Progress,
        stop: Stop,
        files: Path,
        cut: CutFiles,
    ) -> None:
        self.checkpoint = checkpoint
        self._store = store
        self._client = client
        self._options = options
        self._ports = ports
        self._progress = progress
        self._stop = stop
        self._files = files
        self._cut = cut
        self._traits = seen_by(checkpoint)
        self._plan: PlanFile | None = None
        self._ledger = Ledger()
        self._backup_notes: list[str] = []
        self._failed_before: frozenset[int] = frozenset()
        self._resumed = False
        self._unlike = "it is another one's"

    def resume(self, command: str, header: Header | None, digest: str | None) -> PlanFile | None:
        """The plan of an unfinished run that this command goes on with, or None where it is another one's.

        Raises CheckpointError where the unfinished run's plan is missing or damaged.
        """
        unfinished = self.checkpoint.open_run
        if unfinished is None:
            return None
        plan = self.open_plan(unfinished)
        told = unfinished.header
        if told["command"] != command or digest != plan.digest:
            self._unlike = unlike(told["command"], plan.header, command, header)
            if self._unlike:
                return None
        self._plan, self._ledger = plan, unfinished.ledger
        self._resumed = True
        return plan

    def open_plan(self, unfinished: OpenRun) -> PlanFile:
        """The plan that an unfinished run was carrying out.

        Raises CheckpointError where it is missing or damaged.
        """
        return plan_of_unfinished(self._ports.disk, self.checkpoint.paths.plan, unfinished)

    async def settle_fresh(self) -> None:
        """With --fresh a run that was set aside is settled first where creates of it are in doubt, lest they be sent again.

        Where its plan can't be read any more, they are waited for and forgotten: what has appeared is told by its name.
        """
        unfinished = self.checkpoint.open_run
        if unfinished is None:
            return
        doubt = unfinished.ledger.creates_in_doubt()
        whose = f"{doubt} create{'s' if doubt > 1 else ''} of the run that was set aside"
        try:
            self.open_plan(unfinished)
        except CheckpointError as error:
            self._progress.notify(
                f"{whose} may still appear, and cannot be told any more, for its plan can't be read ({error}). "
                f"Nothing is listed before they had the time to: {self._options.settle:g} s"
            )
            with anyio.move_on_after(self._options.settle) as scope:
                self._stop.on_stop(scope.cancel)
                await anyio.sleep_forever()
            if self._stop.stopping:
                raise Interrupted from None
            self.checkpoint.forget_unfinished()
        else:
            await self.resolve_prior_run(f"{whose} may have happened: looked for first")

    async def resolve_prior_run(self, why: str = "") -> None:
        """Find out what became of an unfinished run's creates, and keep what is known; then its journal is over."""
        unfinished = self.checkpoint.open_run
        if unfinished is None:
            return
        self._plan, self._ledger = self.open_plan(unfinished), unfinished.ledger
        self._restore_traits()
        self._progress.notify(
            why
            or f"an unfinished run was found that is not gone on with: {self._unlike}. What it has in doubt is settled first, "
            "then a new plan is made"
        )
        unconfirmed = {
            p for p, course in self._ledger.courses.items() if any(c.unconfirmed for c in course.changes.values())
        }
        async with self._open_journal(None) as journal:
            io = self._product_io(journal, delete_extra=False, recheck_first=False)
            io.settle_only = True
            batches = (batch for batch in self._plan.batches() if batch.product_id in unconfirmed)
            carry = Executor(io, self._progress, self._stop, self._client.set_remaining)
            await carry.run(batches, lambda: self._client.workers)
        if carry.ended_by is not None:
            raise carry.ended_by
        if self._stop.stopping:
            raise Interrupted
        self._ledger.retried_creates.update(retried_by(self._plan, self._ledger))
        prior = self.checkpoint.header or {}
        kept: dict[str, Any] = {key: prior[key] for key in ("wanted", "report") if key in prior}
        over = {"state": "interrupted", "finished_at": self._ports.now()}
        await self._compact({**unfinished.header, **kept, **over})
        self._plan, self._ledger = None, Ledger()

    def _restore_traits(self) -> None:
        """What an earlier process of this run saw the store do holds for this one."""
        told = self._ledger.traits
        if told is not None:
            update_seen = bool(told.get("put_seen"))
            reading = RenumberingModel(Renumbering(told["put"]), told["post"], update_seen=update_seen)
            self._traits = StoreTraits(reading, told["names_lost"])
            self._traits.delete_many = told.get("delete_many", True)

    def check_guards(self, plan: PlanFile) -> None:
        """The guards, before the first write.

        Raises UnsafePlanError.
        """
        options, wanted = self._options, (self.checkpoint.header or {}).get("wanted")
        prior = None if wanted is None or plan.header.selection else PriorCounts(wanted)
        check_guards(
            plan.summary,
            max_deletes=options.max_deletes,
            prior=prior,
            allow_shrink=options.allow_shrink,
            allow_missing=options.allow_missing,
        )

    def guard_refusal(self, plan: PlanFile) -> str | None:
        """What a guard would say to the plan, None where it would pass."""
        try:
            self.check_guards(plan)
        except UnsafePlanError as error:
            return str(error)
        return None

    async def apply(self, command: str, plan: PlanFile, *, recheck_first: bool) -> bool:
        """Carry the plan into the store, from where its journal stands; True where it came to its end."""
        unfinished = self.checkpoint.open_run
        self._plan = plan
        self._failed_before = failed(self.checkpoint.header or {})
        if unfinished is not None:
            self._ledger = unfinished.ledger
            self._failed_before |= self._ledger.failed_products()
            self._restore_traits()
            for product_id in self._ledger.failures:
                self._ledger.reopen(product_id)
            run = None
        else:
            run = {
                "run": f"{self._ports.random.getrandbits(64):016x}",
                "command": command,
                "plan": plan.digest,
                "started_at": self._ports.now(),
            }
        summary = plan.summary
        images = summary.creates + summary.updates + summary.deletes
        self._progress.start_phase("applying", products=summary.changed_products, images=images)
        totals = self._ledger.totals
        done = totals.created + totals.updated + totals.deleted
        self._progress.go_on(totals.products_done, done)
        self._progress.expect_calls(max(0, summary.calls(relist=recheck_first) - done), lambda: self._client.requests)
        complete = False  # a cut ends the block below without a word
        async with self._open_backup(plan) as backup, self._open_journal(run) as journal:
            io = self._product_io(
                journal, delete_extra=plan.header.delete_extra, recheck_first=recheck_first, backup=backup
            )
            executor = Executor(io, self._progress, self._stop, self._client.set_remaining)
            complete = await executor.run(self._open_batches(plan, executor, io), lambda: self._client.workers)
        if executor.ended_by is not None:
            raise executor.ended_by
        return complete and not self._ledger.unconfirmed()

    def _open_batches(self, plan: PlanFile, executor: Executor, io: ProductIO) -> Iterator[ProductPlan]:
        """What is still to do; a finished product whose last look is still due is handed to the carry for that.

        Products that failed before come last: whatever they fail of once more, the others are reached.
        """
        over = self._ledger.finished - self._ledger.was_unconfirmed
        yield from self._opened(plan.batches(but=over | self._failed_before), executor, io)
        if self._failed_before:
            yield from self._opened(plan.batches(but=over, only=self._failed_before), executor, io)

    def _opened(self, batches: Iterator[ProductPlan], carry: Executor, tools: ProductIO) -> Iterator[ProductPlan]:
        for batch, memory in joined(batches, self.checkpoint.identities() if tools.recheck_first else ()):
            if batch.product_id in self._ledger.finished:
                carry.unconfirmed.append(ProductReconciler(batch, tools))
            else:
                # What the plan knows under a new spelling of its address is not learned again under the old one.
                planned = {pair[0] for pair in batch.identities.values()}
                batch.newer_identities = {
                    source: pair
                    for source, pair in memory.items()
                    if pair[0] not in planned
                    or (source.startswith(GONE) and batch.identities.get(source, (0,))[0] != pair[0])
                }
                yield batch

    def _product_io(
        self, journal: Journal, *, delete_extra: bool, recheck_first: bool, backup: Backup | None = None
    ) -> ProductIO:
        return ProductIO(
            store=self._store,
            journal=journal,
            ledger=self._ledger,
            stop=self._stop,
            progress=self._progress,
            traits=self._traits,
            delete_extra=delete_extra,
            recheck_first=recheck_first,
            settle_time=self._options.settle,
            files=self._files,
            cut=self._cut,
            rejections=Refusals(self._failed_before),
            backup=backup,
        )

    @asynccontextmanager
    async def _open_backup(self, plan: PlanFile) -> AsyncIterator[Backup | None]:
        options = self._options
        if options.backup is None:
            yield None
            return
        async with self._ports.fetch() as fetch:
            pictures = PictureDownloader(
                fetch,
                stall_after=options.stall_after,
                give_up_after=options.give_up_after,
                stop=self._stop,
                say=self._progress.notify,
            )
            store, folder = str(self.checkpoint.store), options.backup.absolute()
            mark = f"{self._ports.random.getrandbits(64):016x}"
            backup = Backup(self._ports.disk, folder, store, pictures, options.storefront_url, mark=mark)
            try:
                backup.refuse_links(batch.product_id for batch in plan.batches() if batch.changes.deletes)
                yield backup
            finally:
                self._backup_notes = backup.notes()
                backup.close()

    @asynccontextmanager
    async def _open_journal(self, run: dict[str, Any] | None) -> AsyncIterator[Journal]:
        """The journal while it is written: begun where `run` is given, else gone on with after its last whole line."""
        disk, path = self._ports.disk, self.checkpoint.paths.journal
        if run is None and self.checkpoint.open_run is not None:
            disk.truncate(path, self.checkpoint.open_run.whole_bytes)
            run = self.checkpoint.open_run.header
            file = disk.append(path)
        else:
            file = disk.create(path)
            file.write(self.checkpoint.journal_header(run or {}))
            await file.sync()
        self._run = run or {}
        journal = Journal(file)
        journal.append({"event": "started", "at": self._ports.now()})
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.run)
                with anyio.CancelScope() as scope:
                    self._stop.on_abort(scope.cancel)
                    yield journal
                if self._stop.stopping:
                    journal.append({"event": "stopped", "why": self._stop.reason or "interrupted"})
                journal.close()
        finally:
            journal.flush()
            file.close()

    async def finish(self, report: Report) -> None:
        """Keep what the run taught, and be done with it."""
        plan = self._plan
        if plan is None:
            return
        await self.write_failed(report)
        prior = self.checkpoint.header or {}
        wanted = prior.get("wanted") if plan.header.selection else plan.summary.wanted
        outcome = {"wanted": wanted, "state": "finished", "finished_at": self._ports.now()}
        kept = {"manifest": plan.header.manifest, "digest": plan.header.digest, "mode": plan.header.mode}
        run = {**self._run, **kept, **outcome, **self._to_retry(plan.header), "report": _without_failures(report)}
        # Whoever allowed it knows that they are gone; else they would be missed every night from now on.
        await self._compact(run, forget_missing=self._options.allow_missing)

    def _to_retry(self, header: Header) -> dict[str, Any]:
        """Which products failed, and of which listing the others are known to be as asked."""
        own = {"selection": header.selection, "files": header.files, "listed_at": header.listed_at}
        doubted = self._ledger.unsure | (unsure(self.checkpoint.header or {}) if header.retry_of else frozenset())
        return {"failed": sorted(self._ledger.failed_products()), "unsure": sorted(doubted), **own}

    async def write_failed(self, report: Report) -> None:
        """Write down the products that failed, whole, as a manifest; the rows of an undo are no manifest's."""
        if self._plan is not None and self._plan.header.mode != "undo":
            await write_failed(
                self._ports.disk, self.checkpoint.paths.failed_manifest, self._plan, self._ledger, report
            )

    async def _compact(self, run: dict[str, Any], *, forget_missing: bool = False) -> None:
        if self._plan is not None:
            journal = self.checkpoint.paths.journal
            # What a run that finished since has learned is better than an older plan's listing.
            older = (self.checkpoint.header or {}).get("finished_at", 0) > self._plan.header.made_at
            newer = self.checkpoint.identities() if older else None
            identities = learned_identities(
                self._ports.disk, journal, self._plan, self._ledger, newer=newer, forget_missing=forget_missing
            )
            totals = self._ledger.totals
            run["changed"] = bool(totals.created or totals.updated or totals.deleted or self._ledger.unconfirmed())
            if retried := self._retried_creates(self._plan.header, run):
                run["resent"] = {str(product_id): sources for product_id, sources in retried.items()}
            await self.checkpoint.compact(run, self._traits, identities)
        self.checkpoint.open_run = None
        self.checkpoint.load()

    def _retried_creates(self, header: Header, run: dict[str, Any]) -> dict[int, RetriedCreates]:
        """The creates that may still get a twin: of this run, and of one that ended less than an hour before this began to list."""
        prior = self.checkpoint.header or {}
        # An apply lists each product anew, whenever its plan was made.
        began = header.made_at if header.resumable else run.get("started_at", self._ports.now())
        recent = began - float(prior.get("finished_at", 0.0)) < LATE_DUPLICATE_TIME
        return (self.checkpoint.retried_creates() if recent else {}) | self._ledger.retried_creates

    def fill(self, report: Report) -> None:
        """Put what the run has done so far into its report."""
        self._ledger.fill(report)
        report.resumed = self._resumed
        report.notes += [note for note in self._backup_notes if note not in report.notes]
        if self._plan is not None:
            self._plan.summary.tell(report)


def _without_failures(report: Report) -> dict[str, Any]:
    row: dict[str, Any] = orjson.loads(orjson.dumps(report))
    row.pop("failures")
    return row
