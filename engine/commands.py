"""The engine's verbs: plan, migrate, sync, apply, verify. Each opens what it needs, in the order in which faults end a run.

That order is the contract's: settings, the checkpoint's folder and lock, checkpoint, manifest, credentials, guards.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from .carrying import Proposal, carry_plan, count_before, open_checkpoint, propose
from .core.errors import CheckpointError
from .core.plan import Header, Summary
from .core.report import MOST_FAILURES
from .core.verify import differences
from .ferry import Ferry
from .intake import Manifest, Selection, check
from .lessons import lessons
from .options import Options, Seams, checkpoint_path
from .planfile import PlanFile, PlanWriter
from .progress import Progress, Stop
from .store import Store, connected
from .survey import Survey, joined
from .telling import Interrupted, Job, telling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .checkpoint import Checkpoint
    from .core.diff import Memory
    from .core.report import Report
    from .gate import Gate
    from .options import Access


def _job(
    command: str,
    access: Access,
    options: Options | None,
    progress: Progress | None,
    stop: Stop | None,
    seams: Seams | None,
) -> Job:
    return Job(command, access, options or Options(), progress or Progress(), stop or Stop(), seams or Seams())


async def migrate(
    access: Access,
    manifest: str | Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Seams | None = None,
) -> Report:
    """Create and update what the manifest wants, and delete nothing.

    Raises FerryError (its subclasses say what to do); the checkpoint lets the same call go on after that.
    """
    return await _carry_manifest(_job("migrate", access, options, progress, stop, seams), manifest)


async def sync(
    access: Access,
    manifest: str | Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Seams | None = None,
) -> Report:
    """Bring the products that the manifest names to exactly what it says; deletes are guarded.

    Raises FerryError; UnsafePlanError where a guard refused and nothing was written.
    """
    return await _carry_manifest(_job("sync", access, options, progress, stop, seams), manifest)


async def apply(
    access: Access,
    plan_file: str | Path,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Seams | None = None,
) -> Report:
    """Carry out a plan file that a person has read; a product changed since is left alone and reported.

    Raises FerryError; CheckpointError where the plan is damaged or for another store.
    """
    job = _job("apply", access, options, progress, stop, seams)
    plan = read_plan(access, plan_file, job.seams)
    checkpoint_file = job.options.checkpoint or Path(plan.header.checkpoint)
    job.report.checkpoint = str(checkpoint_file)
    with ExitStack() as opened:
        checkpoint = open_checkpoint(job, opened, checkpoint_file)
        async with telling(job), connected(access, job.options, job.seams, job.progress) as (store, gate):
            ferry = _ferry(job, checkpoint, store, gate, job.options.files or Path(plan.header.files))
            checkpoint.reopen(plan.digest)
            former = ferry.resumes("apply", None, plan.digest)
            await count_before(job, store)
            if former is None:
                await ferry.settle_former()
                ferry.judge(plan)
                former = await _take_over(job, checkpoint, plan, Path(plan_file))
            await carry_plan(job, ferry, former, store, relist=True)
    return job.report


async def plan(
    access: Access,
    manifest: str | Path,
    options: Options | None = None,
    *,
    delete: bool = True,
    output: Path | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Seams | None = None,
) -> Proposal:
    """List, diff, and say what sync (or, without `delete`, migrate) would change and cost; writes the plan file.

    Raises FerryError; a guard's objection is told in `refusal`, since the plan is made all the same.
    """
    job = _job("plan", access, options, progress, stop, seams)
    checkpoint_file = checkpoint_path(manifest, job.options)
    job.report.checkpoint = str(checkpoint_file)
    path = output or default_plan_path(manifest, checkpoint_file)
    proposal: Proposal | None = None
    with ExitStack() as opened:
        checkpoint = open_checkpoint(job, opened, checkpoint_file)
        wanted = opened.enter_context(_read(job, manifest, checkpoint_file))
        async with telling(job), connected(access, job.options, job.seams, job.progress) as (store, gate):
            header = _header(job, "sync" if delete else "migrate", wanted, checkpoint)
            await count_before(job, store)
            made = await _survey(job, wanted, checkpoint, store, gate, path, header, resume=False)
            objection = _ferry(job, checkpoint, store, gate, path).objection(made)
            proposal = propose(job, made, str(path), gate, objection)
    if proposal is None:
        proposal = Proposal(job.report, Summary(), 0, 0.0, None, None, "", None)
    return proposal


async def verify(
    access: Access,
    manifest: str | Path,
    options: Options | None = None,
    *,
    delete: bool = True,
    progress: Progress | None = None,
    stop: Stop | None = None,
    seams: Seams | None = None,
) -> Report:
    """List and compare only; every difference is a failure of the report, surplus images too unless not `delete`.

    Raises FerryError.
    """
    job = _job("verify", access, options, progress, stop, seams)
    checkpoint_file = checkpoint_path(manifest, job.options)
    job.report.checkpoint = str(checkpoint_file)
    with ExitStack() as opened:
        checkpoint = open_checkpoint(job, opened, checkpoint_file)
        wanted = opened.enter_context(_read(job, manifest, checkpoint_file))
        path = checkpoint.paths.beside(".verify")
        opened.callback(job.seams.disk.remove, path)
        async with telling(job), connected(access, job.options, job.seams, job.progress) as (store, gate):
            header = _header(job, "sync" if delete else "migrate", wanted, checkpoint)
            await count_before(job, store)
            made = await _survey(job, wanted, checkpoint, store, gate, path, header, resume=False)
            _judge_differences(job.report, made)
    return job.report


def default_plan_path(manifest: str | Path, checkpoint: Path) -> Path:
    """Where `plan` writes without -o: the manifest's path with `.plan` added."""
    if str(manifest) == "-":
        return checkpoint.with_name(checkpoint.name + ".proposed")
    path = Path(manifest).absolute()
    return path.with_name(path.name + ".plan")


def read_plan(access: Access, plan_file: str | Path, seams: Seams) -> PlanFile:
    """A whole plan for this store.

    Raises CheckpointError where there is none, or it is damaged, or for another store.
    """
    path = Path(plan_file).absolute()
    if seams.disk.size(path) is None:
        raise CheckpointError(f"{path}: there is no such plan; `imageferry plan MANIFEST` makes one")
    made = PlanFile(seams.disk, path)
    if made.header.store != access.store:
        raise CheckpointError(f"{path}: the plan is for the store {made.header.store}, this run is for {access.store}")
    return made


async def _carry_manifest(job: Job, manifest: str | Path) -> Report:
    checkpoint_file = checkpoint_path(manifest, job.options)
    job.report.checkpoint = str(checkpoint_file)
    with ExitStack() as opened:
        checkpoint = open_checkpoint(job, opened, checkpoint_file)
        wanted = opened.enter_context(_read(job, manifest, checkpoint_file))
        async with telling(job), connected(job.access, job.options, job.seams, job.progress) as (store, gate):
            ferry = _ferry(job, checkpoint, store, gate, _files(job, manifest))
            header = _header(job, job.command, wanted, checkpoint)
            made = ferry.resumes(job.command, header, None)
            await count_before(job, store)
            if made is None:
                await ferry.settle_former()
                made = await _survey(job, wanted, checkpoint, store, gate, checkpoint.paths.plan, header, resume=True)
                ferry.judge(made)
            await carry_plan(job, ferry, made, store, relist=False)
    return job.report


async def _take_over(job: Job, checkpoint: Checkpoint, made: PlanFile, source: Path) -> PlanFile:
    """The run keeps a copy of the plan that it carries out, so that it can be resumed whatever becomes of the original."""
    disk, copy = job.seams.disk, checkpoint.paths.beside(".plan.new")
    file = disk.create(copy)
    try:
        for line in disk.lines(source.absolute()):
            file.write(line)
        await file.sync()
    finally:
        file.close()
    await disk.publish(copy, checkpoint.paths.plan)
    taken = PlanFile(disk, checkpoint.paths.plan)
    if taken.digest != made.digest:
        raise CheckpointError(f"{source}: the plan changed while it was read; give the command again")
    return taken


def _read(job: Job, manifest: str | Path, checkpoint: Path) -> Manifest:
    job.progress.begin("checking the manifest")
    selection = Selection(job.options.only, job.options.limit)
    return check(manifest, files=job.options.files, selection=selection, spool=checkpoint)


def _header(job: Job, mode: str, wanted: Manifest, checkpoint: Checkpoint) -> Header:
    only = "" if job.options.only is None else "only " + ",".join(map(str, sorted(job.options.only)))
    limit = "" if job.options.limit is None else f"limit {job.options.limit}"
    return Header(
        mode=mode,
        store=job.access.store,
        manifest=wanted.path,
        digest=wanted.digest,
        files=str(_files(job, wanted.path)),
        checkpoint=str(checkpoint.paths.checkpoint),
        selection=" ".join(part for part in (only, limit) if part),
        made_at=job.seams.now(),
        reading=checkpoint.reading(),
    )


def _files(job: Job, manifest: str | Path) -> Path:
    """Where local pictures lie: --files, else the manifest's own folder, with `-` the working folder."""
    if job.options.files is not None:
        return job.options.files.absolute()
    return Path.cwd() if str(manifest) == "-" else Path(manifest).absolute().parent


def _ferry(job: Job, checkpoint: Checkpoint, store: Store, gate: Gate, files: Path) -> Ferry:
    return Ferry(checkpoint, store, gate, job.options, job.seams, job.progress, job.stop, files)


async def _survey(
    job: Job,
    wanted: Manifest,
    checkpoint: Checkpoint,
    store: Store,
    gate: Gate,
    path: Path,
    header: Header,
    *,
    resume: bool,
) -> PlanFile:
    writer = PlanWriter(job.seams.disk, path, header, resume_at=job.seams.now() if resume else None)
    job.progress.begin("listing", products=wanted.products)
    job.progress.products_done = writer.summary.products
    listing = store.images if job.options.backup is None else store.images_with_urls
    survey = Survey(listing, writer, mirror=header.mirror, reading=header.reading, progress=job.progress, stop=job.stop)
    unfinished = checkpoint.unfinished
    learned: Iterable[tuple[int, Memory]] = ()
    if unfinished is not None:
        former = PlanFile(job.seams.disk, checkpoint.paths.plan)
        learned = lessons(job.seams.disk, checkpoint.paths.journal, former, unfinished.ledger)
    products = (product for product in wanted.read() if product.product_id > writer.last)
    try:
        with anyio.CancelScope() as scope:
            job.stop.on_cut(scope.cancel)
            await survey.run(joined(products, checkpoint.memories(learned)), lambda: gate.workers)
    except BaseException:
        writer.close()
        raise
    if job.stop.draining:
        writer.close()
        raise Interrupted
    await writer.finish()
    return PlanFile(job.seams.disk, path)


def _judge_differences(report: Report, made: PlanFile) -> None:
    made.summary.tell(report)
    for batch in made.batches():
        found = differences(batch)
        report.failed += len({(f.image_file, f.image_id) for f in found})
        if len(report.failures) < MOST_FAILURES:
            report.failures += found
    del report.failures[MOST_FAILURES:]
    report.outcome = "failed" if report.failed else "done"
