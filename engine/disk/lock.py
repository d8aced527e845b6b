"""Who holds a checkpoint: an operating system's lock, gone with its process, and a note beside it that names the holder."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import orjson

from ..clock import shown_time
from ..core.checkpoint.lock_info import ELSEWHERE, GONE, locate, process_place
from ..core.errors import DiskError, LockedError
from .processes import began, here, is_running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .interface import Disk


_LAST_DATE = 253_402_300_800.0
"""The year 10000, in seconds: no date beyond it can be shown."""
_ELSEWHERE = "give --checkpoint FILE to have the checkpoint in another folder"


def check_place(disk: Disk, checkpoint: Path) -> None:
    """Raises DiskError where no checkpoint can be: its folder is missing, or something else than a file bears its name."""
    if not checkpoint.parent.is_dir():
        raise DiskError(
            f"{checkpoint.parent}: there is no such folder for the checkpoint; make it, or give another --checkpoint"
        )
    disk.size(checkpoint)


def takes_no_files(folder: Path) -> bool:
    """Whether a folder is the system's own: what can be made there would be gone with the machine, or means something else."""
    top, *below = folder.parts[1:3] or ("",)
    return top in {"dev", "proc", "sys"} and below != ["shm"]


@contextmanager
def checkpoint_lock(disk: Disk, now: Callable[[], float], checkpoint: Path, command: str) -> Iterator[None]:
    """Hold the checkpoint's lock, and say who holds it.

    Raises DiskError where no lock can be made, LockedError where another run has it.
    """
    check_place(disk, checkpoint)
    if takes_no_files(checkpoint.parent):
        raise DiskError(
            f"{checkpoint.parent}: no checkpoint can be kept there. A manifest that comes through a pipe has no folder: "
            "give --checkpoint FILE, to remember the run by"
        )
    holder = _lock_info_path(checkpoint)
    with _locked(disk, checkpoint) as got:
        if not got:
            raise LockedError(
                f"{checkpoint}: another run holds it: {_describe(checkpoint)}. Wait for it, or look with `imageferry status`"
            )
        who = {"pid": os.getpid(), "began": began(os.getpid()), "command": command, "since": now()}
        file = disk.create(holder)
        try:
            file.write(orjson.dumps(who | here().row()) + b"\n")
        finally:
            file.close()
        try:
            yield
        finally:
            # A note that stays behind names a process that is gone; that alone must not fail a run that is over.
            with suppress(DiskError):
                disk.remove(holder)


@contextmanager
def _locked(disk: Disk, checkpoint: Path) -> Iterator[bool]:
    with ExitStack() as opened:
        try:
            got = opened.enter_context(disk.lock(checkpoint.with_name(checkpoint.name + ".lock")))
        except DiskError as error:
            raise DiskError(f"{error} Or {_ELSEWHERE}.") from None
        yield got


def read_lock_info(checkpoint: Path) -> dict[str, Any] | None:
    """Who says that it holds the checkpoint; a process that died leaves its name behind.

    None where there is no note, or one that makes no sense: a note only informs, the lock decides.
    """
    try:
        row = orjson.loads(_lock_info_path(checkpoint).read_bytes())
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) and _makes_sense(row) else None


def _makes_sense(row: dict[str, Any]) -> bool:
    pid: Any = row.get("pid")
    since: Any = row.get("since")
    process = type(pid) is int and pid > 0
    date = type(since) in {int, float} and 0 <= since < _LAST_DATE
    return process and date and isinstance(row.get("command"), str)


def _lock_info_path(checkpoint: Path) -> Path:
    return checkpoint.with_name(checkpoint.name + ".holder")


def is_alive(holder: dict[str, Any]) -> bool:
    """Whether the process that a note names still runs, as far as anybody here can know.

    Here it is one of that number that began at that time. One on another machine or in another container can't be seen,
    so it is never taken for dead.
    """
    where = locate(process_place(holder), here())
    return where == ELSEWHERE or (where != GONE and is_running(holder["pid"], holder.get("began")))


def host_elsewhere(holder: dict[str, Any]) -> str | None:
    """The machine or container where a note's process runs; None where that is here."""
    place = process_place(holder)
    return place.host if place is not None and locate(place, here()) == ELSEWHERE else None


def _describe(checkpoint: Path) -> str:
    """The holder, as far as its note tells; it is written right after the lock is taken."""
    who = read_lock_info(checkpoint)
    if who is None:
        return (
            f"by whom is not readable ({_lock_info_path(checkpoint).name})"
            if _is_there(checkpoint)
            else "one that has just begun"
        )
    host = host_elsewhere(who)
    where = "" if host is None else f" on {host[:80]}"
    return f"`{who['command'][:40]}`, process {who['pid']}{where}, since {shown_time(who['since'])}"


def _is_there(checkpoint: Path) -> bool:
    try:
        return _lock_info_path(checkpoint).stat().st_size > 0
    except OSError:
        return False
