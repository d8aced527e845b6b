"""The first steps of every verb: open the checkpoint, read the manifest, connect, count the images."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import anyio

from ..core.dialects import v2
from ..core.errors import CheckpointError, DiskError, RefusedError, SettingsError, StoppedError
from ..core.manifest.selection import Selection
from ..core.plan.batch import Header
from ..core.plan.run_header import to_retry
from ..core.quota.stats import Limits
from ..disk.checkpoint.file import Checkpoint
from ..disk.filesystem import disk_error
from ..disk.lock import check_place, checkpoint_lock, takes_no_files
from ..disk.manifest.reader import Manifest, check_manifest
from ..disk.plan_file import PlanFile
from ..disk.sorter import scratch_folder
from ..options import Access
from ..transport.client import ApiClient
from ..transport.store import Store
from .context import Interrupted, Ports, RunContext
from .product.io import seen_by
from .resume import plan_of_unfinished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import ExitStack

    from ..options import Access, Options
    from ..progress import Progress, Stop


def open_checkpoint(job: RunContext, opened: ExitStack, path: Path) -> Checkpoint:
    """Lock and load a checkpoint, and clean up after a crash.

    Raises DiskError, LockedError, CheckpointError.
    """
    opened.enter_context(checkpoint_lock(job.ports.disk, job.ports.now, path, job.command))
    checkpoint = Checkpoint(job.ports.disk, path, job.access.store)
    checkpoint.load()
    if checkpoint.already_closed:
        checkpoint.close_run(changed=bool((checkpoint.header or {}).get("changed")))
    if job.options.backup is not None and job.command != "undo":
        job.ports.disk.make_folder(job.options.backup.absolute())
    if job.options.fresh:
        for aside in checkpoint.archive(int(job.ports.now())):
            job.progress.notify(f"set aside as {aside}")
    return checkpoint


def load_without_lock(job: RunContext, opened: ExitStack, path: Path) -> Checkpoint:
    """Load a checkpoint without its lock, for verbs that write nothing beside it.

    Raises DiskError, CheckpointError.
    """
    check_place(job.ports.disk, path)
    scratch = opened.enter_context(scratch_folder())
    for again in (True, True, False):
        checkpoint = Checkpoint(job.ports.disk, path, job.access.store, scratch)
        try:
            checkpoint.load()
            if checkpoint.open_run is not None:
                plan_of_unfinished(job.ports.disk, checkpoint.paths.plan, checkpoint.open_run)
                checkpoint.copy_unfinished()
                plan_of_unfinished(job.ports.disk, checkpoint.paths.plan, checkpoint.open_run)
        except (CheckpointError, DiskError):
            # Its run may have come to its end between two looks, and taken its files away.
            if not again:
                raise
        else:
            break
    return checkpoint


def place_for_dry_run(path: Path) -> Path:
    """Return the path for a dry run's plan: `path`, or one in the temporary folder if `path` can't be written.

    Raises DiskError.
    """
    if not takes_no_files(path.parent) and os.access(path.parent, os.W_OK):
        return path
    try:
        folder = Path(mkdtemp(prefix="imageferry-plan-"))
    except OSError as error:
        raise disk_error(path, error, "writing the plan") from None
    return folder / path.name


async def count_before(job: RunContext, store: Store) -> None:
    """Make the first call; it fails at once if the credentials are not valid."""
    job.progress.start_phase("connecting")
    job.report.images_before = await count_images(store)
    if job.stop.stopping:
        raise Interrupted


async def count_images(store: Store) -> int | None:
    """Return the store's image count, None if the store does not answer it: it is only information."""
    try:
        return await store.count()
    except StoppedError:
        return None
    except RefusedError as error:
        if 300 <= error.status < 400:
            raise
        return None


def read_manifest(job: RunContext, manifest: str | Path, checkpoint: Checkpoint) -> Manifest:
    """Check the whole manifest; temporary files are beside the checkpoint, or in its scratch folder.

    Raises ManifestError with every fault, DiskError.
    """
    job.progress.start_phase("checking the manifest")
    selection = Selection(job.options.only, job.options.limit)
    spool = checkpoint.paths.temporary("")
    return check_manifest(manifest, files=job.options.files, selection=selection, spool=spool, cut=job.cut, odd=job.odd)


def files_folder(job: RunContext, manifest: str | Path) -> Path:
    """Return the folder of local images: --files, else the manifest's folder, for `-` the working folder."""
    if job.options.files is not None:
        return job.options.files.absolute()
    return Path.cwd() if str(manifest) == "-" else Path(manifest).absolute().parent


def header_for(
    job: RunContext, mode: str, wanted: Manifest, checkpoint: Checkpoint, *, resumable: bool = False
) -> Header:
    """Return the header of the plan to be made."""
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
        made_at=job.ports.now(),
        reading=checkpoint.reading(),
        resumable=resumable,
        delete_many=seen_by(checkpoint).delete_many,
    )


def failed_alone(job: RunContext, checkpoint: Checkpoint, header: Header) -> frozenset[int] | None:
    """Return the products that failed in an identical prior run, None if all must be listed."""
    former = checkpoint.header or {}
    only = to_retry(former, header, job.report.images_before)
    if job.options.fresh or not only:
        return None
    header.retry_of = former["listed_at"]
    minutes = (header.made_at - header.retry_of) / 60
    whose = "the product" if len(only) == 1 else f"the {len(only)} products"
    job.progress.notify(
        f"tried again: {whose} of which something failed. The others were listed {minutes:.0f} min ago and are taken "
        "as they were; --fresh lists all"
    )
    return only


def read_plan(access: Access, plan_file: str | Path, seams: Ports) -> PlanFile:
    """Return the plan file, checked to be complete and for this store.

    Raises CheckpointError where there is none, or it is damaged, or for another store.
    """
    path = Path(plan_file).absolute()
    if seams.disk.size(path) is None:
        raise CheckpointError(f"{path}: there is no such plan; `imageferry plan MANIFEST` makes one")
    made = PlanFile(seams.disk, path, "make it again with `imageferry plan`")
    if made.header.store != access.store:
        raise CheckpointError(f"{path}: the plan is for the store {made.header.store}, this run is for {access.store}")
    return made


@asynccontextmanager
async def connected(
    access: Access, options: Options, seams: Ports, progress: Progress, stop: Stop
) -> AsyncIterator[tuple[Store, ApiClient]]:
    """Connect to the store, and watch its calls until the end."""
    limits = Limits(
        concurrency=options.concurrency,
        rate=options.rate,
        quota_share=options.quota_share,
        give_up_after=options.give_up_after,
        stall_after=options.stall_after,
    )
    async with seams.transport(access) as wire:
        gate = ApiClient(
            wire,
            limits=limits,
            explain=v2.explain,
            chance=seams.random,
            say=progress.notify,
            plain_read=v2.count_images(),
            wall=seams.now,
        )
        progress.traffic = gate.traffic
        stop.on_stop(gate.close)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.run_watchdog)
            try:
                yield Store(gate, v2), gate
            finally:
                tasks.cancel_scope.cancel()


def checkpoint_path(manifest: str | Path, options: Options) -> Path:
    """Return --checkpoint, else the manifest's path with `.checkpoint.json` added.

    Raises SettingsError where the manifest is standard input and no checkpoint is given.
    """
    if options.checkpoint is not None:
        return options.checkpoint.absolute()
    if str(manifest) == "-":
        raise SettingsError(
            "the manifest comes from standard input, so --checkpoint FILE is needed to remember the run"
        )
    path = Path(manifest).absolute()
    return path.with_name(path.name + ".checkpoint.json")


def check_output(output: Path, *spared: Path) -> None:
    """Raise SettingsError if an output path is not a regular file, or is one of the `spared`."""
    if output.exists() and not output.is_file():
        raise SettingsError(f"-o {output}: this is no regular file; give the name of one")
    if any(output.absolute() == each.absolute() for each in spared):
        raise SettingsError(f"-o {output}: this is a file that the command reads; give another name")
