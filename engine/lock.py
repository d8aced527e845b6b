"""Who holds a checkpoint: an operating system's lock, gone with its process, and a note beside it that names the holder."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.errors import DiskError, LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .options import Seams


@contextmanager
def held(seams: Seams, checkpoint: Path, command: str) -> Iterator[None]:
    """Hold the checkpoint's lock, and say who holds it.

    Raises DiskError where its folder is missing, LockedError where another run has it.
    """
    if not checkpoint.parent.is_dir():
        raise DiskError(
            f"{checkpoint.parent}: there is no such folder for the checkpoint; make it, or give another --checkpoint"
        )
    holder = checkpoint.with_name(checkpoint.name + ".holder")
    with seams.disk.lock(checkpoint.with_name(checkpoint.name + ".lock")) as got:
        if not got:
            raise LockedError(
                f"{checkpoint}: another run holds it: {_describe(holder)}. Wait for it, or look with `imageferry status`"
            )
        who = {"pid": os.getpid(), "began": _began(os.getpid()), "command": command, "since": seams.now()}
        file = seams.disk.create(holder)
        try:
            file.write(json.dumps(who).encode() + b"\n")
        finally:
            file.close()
        try:
            yield
        finally:
            # A note that stays behind names a process that is gone; that alone must not fail a run that is over.
            with suppress(DiskError):
                seams.disk.remove(holder)


def read_holder(checkpoint: Path) -> dict[str, Any] | None:
    """Who says that it holds the checkpoint; a process that died leaves its name behind."""
    try:
        row = json.loads(checkpoint.with_name(checkpoint.name + ".holder").read_bytes())
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("pid"), int) else None


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


def _describe(holder: Path) -> str:
    who = read_holder(holder.with_name(holder.name.removesuffix(".holder")))
    if who is None:
        return "one that has just begun"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(who.get("since", 0))))
    return f"`{who.get('command')}`, process {who['pid']}, since {since}"
