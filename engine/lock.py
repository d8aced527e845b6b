"""Who holds a checkpoint: an operating system's lock, gone with its process, and a note beside it that names the holder."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from .core.errors import DiskError, LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .options import Seams


_LAST_DATE = 253_402_300_800.0
"""The year 10000, in seconds: no date beyond it can be shown."""


@contextmanager
def held(seams: Seams, checkpoint: Path, command: str) -> Iterator[None]:
    """Hold the checkpoint's lock, and say who holds it.

    Raises DiskError where its folder is missing, LockedError where another run has it.
    """
    if not checkpoint.parent.is_dir():
        raise DiskError(
            f"{checkpoint.parent}: there is no such folder for the checkpoint; make it, or give another --checkpoint"
        )
    holder = _note(checkpoint)
    with seams.disk.lock(checkpoint.with_name(checkpoint.name + ".lock")) as got:
        if not got:
            raise LockedError(
                f"{checkpoint}: another run holds it: {_describe(checkpoint)}. Wait for it, or look with `imageferry status`"
            )
        who = {"pid": os.getpid(), "began": _began(os.getpid()), "command": command, "since": seams.now()}
        file = seams.disk.create(holder)
        try:
            file.write(orjson.dumps(who) + b"\n")
        finally:
            file.close()
        try:
            yield
        finally:
            # A note that stays behind names a process that is gone; that alone must not fail a run that is over.
            with suppress(DiskError):
                seams.disk.remove(holder)


def read_holder(checkpoint: Path) -> dict[str, Any] | None:
    """Who says that it holds the checkpoint; a process that died leaves its name behind.

    None where there is no note, or one that makes no sense: a note only informs, the lock decides.
    """
    try:
        row = orjson.loads(_note(checkpoint).read_bytes())
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) and _makes_sense(row) else None


def _makes_sense(row: dict[str, Any]) -> bool:
    pid: Any = row.get("pid")
    since: Any = row.get("since")
    process = type(pid) is int and pid > 0
    date = type(since) in {int, float} and 0 <= since < _LAST_DATE
    return process and date and isinstance(row.get("command"), str)


def _note(checkpoint: Path) -> Path:
    return checkpoint.with_name(checkpoint.name + ".holder")


def is_alive(holder: dict[str, Any]) -> bool:
    """Whether the process that a note names still runs: one of that number that began at that time."""
    pid = holder["pid"]
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError, ValueError):
        return False
    except PermissionError:
        return True
    return _began(pid) == holder.get("began")


def _began(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; "dead" where it is a zombie, None where the system doesn't tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return "dead" if fields[0] in {"Z", "X"} else fields[19]


def _describe(checkpoint: Path) -> str:
    """The holder, as far as its note tells; it is written right after the lock is taken."""
    who = read_holder(checkpoint)
    if who is None:
        return (
            f"by whom is not readable ({_note(checkpoint).name})"
            if _is_there(checkpoint)
            else "one that has just begun"
        )
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(who["since"]))
    return f"`{who['command'][:40]}`, process {who['pid']}, since {since}"


def _is_there(checkpoint: Path) -> bool:
    try:
        return _note(checkpoint).stat().st_size > 0
    except OSError:
        return False
