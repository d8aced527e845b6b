"""A writing run under its lock: what it was given, what it has done so far, and its journal and backup while they are open."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from ..core.checkpoint.ledger import Ledger
from ..core.diff.renumbering import Renumbering, RenumberingModel
from ..core.errors import UnsafePlanError
from ..core.plan.guards import PriorCounts, check_guards
from ..core.plan.why_not_resumed import unlike
from ..core.reconcile.rejection_streak import Refusals
from ..core.reconcile.traits import StoreTraits
from ..disk.checkpoint.journal import Journal
from ..images.backup import Backup
from ..images.download import PictureDownloader
from .product.io import ProductIO, seen_by
from .resume import plan_of_unfinished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ..core.image_format.truncated import TruncatedFiles
    from ..core.plan.batch import Header
    from ..core.results import Report
    from ..disk.checkpoint.file import Checkpoint
    from ..disk.checkpoint.run_files import OpenRun
    from ..disk.plan_file import PlanFile
    from ..options import Options
    from ..progress import Progress, Stop
    from ..transport.client import ApiClient
    from ..transport.store import Store
    from .context import Ports


@dataclass(slots=True)
class Run:
    """The state of a run that writes: `checkpoint` is loaded and locked, `store` is connected.

    The stages `resume`, `pipeline` and `finish` read and change it. `failed_before` are the products that failed in an
    earlier process or in the run before; `header` is what the journal of this run begins with.
    """

    checkpoint: Checkpoint
    store: Store
    client: ApiClient
    options: Options
    ports: Ports
    progress: Progress
    stop: Stop
    files: Path
    cut: TruncatedFiles
    traits: StoreTraits = field(init=False)
    plan: PlanFile | None = None
    ledger: Ledger = field(default_factory=Ledger)
    header: dict[str, Any] = field(default_factory=dict)
    failed_before: frozenset[int] = frozenset()
    why_not_resumed: str = "it is another one's"
    resumed: bool = False
    backup_notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.traits = seen_by(self.checkpoint)

    def resume(self, command: str, header: Header | None, digest: str | None) -> PlanFile | None:
        """Return the plan of the open run if this command continues it, else None.

        Raises CheckpointError if that plan is missing or damaged.
        """
        open_run = self.checkpoint.open_run
        if open_run is None:
            return None
        plan = self.open_plan(open_run)
        if open_run.header["command"] != command or digest != plan.digest:
            self.why_not_resumed = unlike(open_run.header["command"], plan.header, command, header)
            if self.why_not_resumed:
                return None
        self.plan, self.ledger = plan, open_run.ledger
        self.resumed = True
        return plan

    def open_plan(self, open_run: OpenRun) -> PlanFile:
        """Return the plan that an open run was applying.

        Raises CheckpointError if it is missing or damaged.
        """
        return plan_of_unfinished(self.ports.disk, self.checkpoint.paths.plan, open_run)

    def restore_traits(self) -> None:
        """Take over the store traits that an earlier process of this run recorded."""
        event = self.ledger.traits
        if event is not None:
            update_seen = bool(event.get("put_seen"))
            model = RenumberingModel(Renumbering(event["put"]), event["post"], update_seen=update_seen)
            self.traits = StoreTraits(model, event["names_lost"])
            self.traits.delete_many = event.get("delete_many", True)

    def check_guards(self, plan: PlanFile) -> None:
        """Raise UnsafePlanError if a guard refuses the plan; called before the first write."""
        wanted = (self.checkpoint.header or {}).get("wanted")
        prior = None if wanted is None or plan.header.selection else PriorCounts(wanted)
        check_guards(
            plan.summary,
            max_deletes=self.options.max_deletes,
            prior=prior,
            allow_shrink=self.options.allow_shrink,
            allow_missing=self.options.allow_missing,
        )

    def guard_refusal(self, plan: PlanFile) -> str | None:
        """Return the reason for which a guard refuses the plan, None if all accept it."""
        try:
            self.check_guards(plan)
        except UnsafePlanError as error:
            return str(error)
        return None

    def product_io(
        self, journal: Journal, *, delete_extra: bool, recheck_first: bool, backup: Backup | None = None
    ) -> ProductIO:
        """Return what the products of this run are reconciled with."""
        return ProductIO(
            store=self.store,
            journal=journal,
            ledger=self.ledger,
            stop=self.stop,
            progress=self.progress,
            traits=self.traits,
            delete_extra=delete_extra,
            recheck_first=recheck_first,
            settle_time=self.options.settle,
            files=self.files,
            cut=self.cut,
            rejections=Refusals(self.failed_before),
            backup=backup,
        )

    @asynccontextmanager
    async def open_backup(self, plan: PlanFile) -> AsyncIterator[Backup | None]:
        """Open the backup folder for the images that the plan deletes, None without --backup."""
        options = self.options
        if options.backup is None:
            yield None
            return
        async with self.ports.fetch() as fetch:
            pictures = PictureDownloader(
                fetch,
                stall_after=options.stall_after,
                give_up_after=options.give_up_after,
                stop=self.stop,
                say=self.progress.notify,
            )
            store, folder = str(self.checkpoint.store), options.backup.absolute()
            mark = f"{self.ports.random.getrandbits(64):016x}"
            backup = Backup(self.ports.disk, folder, store, pictures, options.storefront_url, mark=mark)
            try:
                backup.refuse_links(batch.product_id for batch in plan.batches() if batch.changes.deletes)
                yield backup
            finally:
                self.backup_notes = backup.notes()
                backup.close()

    @asynccontextmanager
    async def open_journal(self, header: dict[str, Any] | None) -> AsyncIterator[Journal]:
        """Open the journal: a new one if `header` is given, else the open run's after its last whole line."""
        disk, path = self.ports.disk, self.checkpoint.paths.journal
        if header is None and self.checkpoint.open_run is not None:
            disk.truncate(path, self.checkpoint.open_run.whole_bytes)
            header = self.checkpoint.open_run.header
            file = disk.append(path)
        else:
            file = disk.create(path)
            file.write(self.checkpoint.journal_header(header or {}))
            await file.sync()
        self.header = header or {}
        journal = Journal(file)
        journal.append({"event": "started", "at": self.ports.now()})
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(journal.run)
                with anyio.CancelScope() as scope:
                    self.stop.on_abort(scope.cancel)
                    yield journal
                if self.stop.stopping:
                    journal.append({"event": "stopped", "why": self.stop.reason or "interrupted"})
                journal.close()
        finally:
            journal.flush()
            file.close()

    def fill(self, report: Report) -> None:
        """Add to `report` what the run has done so far."""
        self.ledger.fill(report)
        report.resumed = self.resumed
        report.notes += [note for note in self.backup_notes if note not in report.notes]
        if self.plan is not None:
            self.plan.summary.tell(report)
