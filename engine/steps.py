"""The steps that the verbs share: open the checkpoint, read the manifest, count, survey, propose a plan, carry it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import anyio

from .checkpoint import Checkpoint
from .core.errors import CheckpointError, DiskError, RefusedError, StoppedError
from .core.plan import Header, Summary
from .core.report import MOST_FAILURES, Report
from .core.run_header import to_retry
from .disk import disk_error
from .ferry import Ferry, plan_of_unfinished
from .intake import Manifest, Selection, check
from .lessons import joined, lessons, resent_by
from .lock import check_place, held, takes_no_files
from .options import Options, Seams
from .planfile import START_AGAIN, PlanFile, PlanWriter
from .progress import Progress, Stop
from .spill import scratch_folder
from .survey import Former, Survey
from .telling import Interrupted, Job
from .tools import seen_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from .core.kept import Memory
    from .gate import Gate
    from .options import Access
    from .store import Store


@dataclass(slots=True)
class Proposal:
    """A plan that waits for a person: what it would change, what it costs, where it lies, and why a guard objects.

    `about`: which run an undo would take back.
    """

    report: Report
    summary: Summary
    calls: int
    seconds: float
    quota: int | None
    plan: str | None
    digest: str
    refusal: str | None
    about: str = ""


def open_checkpoint(job: Job, opened: ExitStack, path: Path) -> Checkpoint:
    """Lock and load a checkpoint; what a crash left to be tidied is tidied.

    Raises DiskError, LockedError, CheckpointError.
    """
    opened.enter_context(held(job.seams, path, job.command))
    checkpoint = Checkpoint(job.seams.disk, path, job.access.store)
    checkpoint.load()
    if checkpoint.stale:
        checkpoint.retire(changed=bool((checkpoint.header or {}).get("changed")))
    if job.options.backup is not None and job.command != "undo":
        job.seams.disk.make_folder(job.options.backup.absolute())
    if job.options.fresh:
        for aside in checkpoint.set_aside(int(job.seams.now())):
            job.progress.say(f"set aside as {aside}")
    return checkpoint


def look_at(job: Job, opened: ExitStack, path: Path) -> Checkpoint:
    """Load a checkpoint without its lock, for who writes nothing beside it; temporary files lie elsewhere.

    Raises DiskError, CheckpointError.
    """
    check_place(job.seams, path)
    scratch = opened.enter_context(scratch_folder())
    for again in (True, True, False):
        checkpoint = Checkpoint(job.seams.disk, path, job.access.store, scratch)
        try:
            checkpoint.load()
            if checkpoint.unfinished is not None:
                plan_of_unfinished(job.seams.disk, checkpoint.paths.plan, checkpoint.unfinished)
                checkpoint.copy_unfinished()
                plan_of_unfinished(job.seams.disk, checkpoint.paths.plan, checkpoint.unfinished)
        except (CheckpointError, DiskError):
            # Its run may have come to its end between two looks, and taken its files away.
            if not again:
                raise
        else:
            break
    return checkpoint


def place_for_dry_run(path: Path) -> Path:
    """Where a dry run writes its plan: its usual place, or where no file can lie there a folder below the system's temporary one.

    Raises DiskError.
    """
    if not takes_no_files(path.parent) and os.access(path.parent, os.W_OK):
        return path
    try:
        folder = Path(mkdtemp(prefix="imageferry-plan-"))
    except OSError as error:
        raise disk_error(path, error, "writing the plan") from None
    return folder / path.name


async def count_before(job: Job, store: Store) -> None:
    """The first call: it also tells at once whether the credentials are good."""
    job.progress.begin("connecting")
    job.report.images_before = await _count(store)
    if job.stop.draining:
        raise Interrupted


def propose(job: Job, made: PlanFile, path: str, gate: Gate, refusal: str | None) -> Proposal:
    """A plan as a person is to read it, with what it costs at the quota in force."""
    summary, report = made.summary, job.report
    summary.tell(report)
    report.failed = summary.failed
    report.failures.clear()
    for batch in made.batches():
        if len(report.failures) < MOST_FAILURES:
            report.failures += batch.failures + batch.left_alone
    calls = summary.calls(relist=True)
    return Proposal(report, summary, calls, gate.seconds_for(calls), gate.traffic().quota, path, made.digest, refusal)


async def carry_plan(job: Job, ferry: Ferry, made: PlanFile, store: Store, *, relist: bool) -> None:
    """Carry a plan to its end or as far as it goes, and tell it in the report."""
    try:
        complete = await ferry.carry(job.command, made, relist=relist)
    finally:
        ferry.tell(job.report)
    if complete:
        job.report.images_after = await _count(store)
    if job.stop.reason:
        job.report.notes.append(job.stop.reason)
    if job.stop.draining and not complete and not job.stop.reason:
        job.report.outcome = "interrupted"
    elif job.report.failed or job.report.unknown or not complete:
        job.report.outcome = "failed"
    if complete:
        await ferry.finish(job.report)
    else:
        await ferry.keep_failed(job.report)


async def _count(store: Store) -> int | None:
    """The store's image count informs and doesn't judge: where the store won't tell it, the run goes on without."""
    try:
        return await store.count()
    except StoppedError:
        return None
    except RefusedError as error:
        if 300 <= error.status < 400:
            raise
        return None


def new_job(
    command: str,
    access: Access,
    options: Options | None,
    progress: Progress | None,
    stop: Stop | None,
    seams: Seams | None,
) -> Job:
    """A job with defaults for what was not given."""
    return Job(command, access, options or Options(), progress or Progress(), stop or Stop(), seams or Seams())


def read_manifest(job: Job, manifest: str | Path, checkpoint: Checkpoint) -> Manifest:
    """Check the manifest whole; temporary files lie beside the checkpoint, or where it is only looked at in its scratch folder.

    Raises ManifestError with every fault, DiskError.
    """
    job.progress.begin("checking the manifest")
    selection = Selection(job.options.only, job.options.limit)
    spool = checkpoint.paths.temporary("")
    return check(manifest, files=job.options.files, selection=selection, spool=spool, cut=job.cut, odd=job.odd)


def files_folder(job: Job, manifest: str | Path) -> Path:
    """Where local pictures lie: --files, else the manifest's own folder, with `-` the working folder."""
    if job.options.files is not None:
        return job.options.files.absolute()
    return Path.cwd() if str(manifest) == "-" else Path(manifest).absolute().parent


def header_for(job: Job, mode: str, wanted: Manifest, checkpoint: Checkpoint, *, resumable: bool = False) -> Header:
    """What the plan that is about to be made is for."""
    only = "" if job.options.only is None else "only " + ",".join(map(str, sorted(job.options.only)))
    limit = "" if job.options.limit is None else f"limit {job.options.limit}"
    return Header(
        mode=mode,
        store=job.access.store,
        manifest=wanted.path,
        digest=wanted.digest,
        files=str(files_folder(job, wanted.path)),
        checkpoint=str(checkpoint.paths.checkpoint),
        selection=" ".join(part for part in (only, limit) if part),
        made_at=job.seams.now(),
        reading=checkpoint.reading(),
        resumable=resumable,
        delete_many=seen_by(checkpoint).delete_many,
    )


def new_ferry(job: Job, checkpoint: Checkpoint, store: Store, gate: Gate, files: Path) -> Ferry:
    """A ferry with all that this job was given."""
    return Ferry(checkpoint, store, gate, job.options, job.seams, job.progress, job.stop, files, job.cut)


def failed_alone(job: Job, checkpoint: Checkpoint, header: Header) -> frozenset[int] | None:
    """The products that failed in the run before, where this one is the same again and need list no others; else None."""
    former = checkpoint.header or {}
    only = to_retry(former, header, job.report.images_before)
    if job.options.fresh or not only:
        return None
    header.retry_of = former["listed_at"]
    minutes = (header.made_at - header.retry_of) / 60
    whose = "the product" if len(only) == 1 else f"the {len(only)} products"
    job.progress.say(
        f"tried again: {whose} of which something failed. The others were listed {minutes:.0f} min ago and are taken "
        "as they were; --fresh lists all"
    )
    return only


async def survey_into(
    job: Job,
    wanted: Manifest,
    checkpoint: Checkpoint,
    store: Store,
    gate: Gate,
    path: Path,
    header: Header,
    only: frozenset[int] | None = None,
) -> PlanFile:
    """List and diff into a plan file; a resumable one's interrupted listing is gone on with, any other appears whole.

    Where `only` some products are listed, the others are taken to be as the run before left them.

    Raises Interrupted, UnsafePlanError (the wrong store), StoreError, DiskError.
    """
    now = job.seams.now() if header.resumable else None
    writer = PlanWriter(job.seams.disk, path, header, in_place=header.resumable, resume_at=now)
    job.progress.begin("listing", products=wanted.products)
    job.progress.products_done = writer.summary.products
    products = (product for product in wanted.read() if product.product_id > writer.last)
    former = None if checkpoint.unfinished is None else PlanFile(job.seams.disk, checkpoint.paths.plan, START_AGAIN)
    source = joined(products, _memories(job, checkpoint, former))
    try:
        with anyio.CancelScope() as scope:
            job.stop.on_cut(scope.cancel)
            surveyor = _surveyor(job, checkpoint, former, store, writer, header, only)
            await surveyor.run(source, lambda: gate.callers)
    except BaseException:
        writer.close()
        raise
    if job.stop.draining:
        writer.close()
        raise Interrupted
    await writer.finish()
    if guessed := writer.summary.guessed:
        whose = "1 image was" if guessed == 1 else f"{guessed:,} images were"
        job.progress.say(
            f"{whose} matched by a guess: others of the product have the same name, and their fields don't tell them apart "
            '("guessed" in the plan file names them)'
        )
    return PlanFile(job.seams.disk, path)


def _surveyor(
    job: Job,
    checkpoint: Checkpoint,
    unfinished: PlanFile | None,
    store: Store,
    writer: PlanWriter,
    header: Header,
    only: frozenset[int] | None,
) -> Survey:
    return Survey(
        store.images if job.options.backup is None else store.images_with_urls,
        writer,
        mirror=header.mirror,
        reading=header.reading,
        former=_former(job, checkpoint, unfinished),
        progress=job.progress,
        stop=job.stop,
        only=only,
    )


def _memories(job: Job, checkpoint: Checkpoint, plan: PlanFile | None) -> Iterator[tuple[int, Memory]]:
    """What is remembered, what an unfinished run has learned included."""
    unfinished = checkpoint.unfinished
    if unfinished is None or plan is None:
        return checkpoint.memories()
    return checkpoint.memories(lessons(job.seams.disk, checkpoint.paths.journal, plan, unfinished.ledger))


def _former(job: Job, checkpoint: Checkpoint, plan: PlanFile | None) -> Former:
    """What the run before left to be minded, whether it came to its end or not."""
    settle = job.options.settle
    lag = min(max(checkpoint.trusted_from(settle) - job.seams.now(), 0.0), settle)
    former = Former(checkpoint.resent(), checkpoint.names_lost(), lag)
    unfinished = checkpoint.unfinished
    if unfinished is not None and plan is not None:
        ledger = unfinished.ledger
        former.resent |= ledger.resent | resent_by(plan, ledger)
        former.names_lost = former.names_lost or bool((ledger.seen or {}).get("names_lost"))
    return former


def read_plan(access: Access, plan_file: str | Path, seams: Seams) -> PlanFile:
    """A whole plan for this store.

    Raises CheckpointError where there is none, or it is damaged, or for another store.
    """
    path = Path(plan_file).absolute()
    if seams.disk.size(path) is None:
        raise CheckpointError(f"{path}: there is no such plan; `imageferry plan MANIFEST` makes one")
    made = PlanFile(seams.disk, path, "make it again with `imageferry plan`")
    if made.header.store != access.store:
        raise CheckpointError(f"{path}: the plan is for the store {made.header.store}, this run is for {access.store}")
    return made
