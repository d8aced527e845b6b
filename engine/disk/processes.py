"""Which process this is, and whether another one of this machine still runs; a way for each operating system."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil

from ..core.checkpoint.lock_info import ProcessPlace


def here() -> ProcessPlace:
    """Return where this process runs: host, machine, boot and process namespace, each None where the system does not tell."""
    try:
        processes = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        processes = None
    machine, boot = _line("/etc/machine-id"), _line("/proc/sys/kernel/random/boot_id")
    return ProcessPlace(platform.node() or "an unnamed machine", machine, boot, processes)


def _line(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def is_running(pid: int, began_at: str | None) -> bool:
    """Return True if process `pid` runs and began at `began_at`, as `began` told it then."""
    try:
        exists = psutil.pid_exists(pid)
    except (OverflowError, ValueError):
        return False
    return exists and began(pid) == began_at


def began(pid: int) -> str | None:
    """Return when a process began: in the kernel's ticks on Linux, elsewhere in seconds since 1970.

    "dead" for one that has ended and is not waited for yet, None where the system does not tell.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return _began_elsewhere(pid)
    return "dead" if fields[0] in {"Z", "X"} else fields[19]


def _began_elsewhere(pid: int) -> str | None:
    """Linux's ticks are exact; what psutil makes of them moves with the wall clock, so it is asked where there is no /proc."""
    try:
        process = psutil.Process(pid)
        if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return "dead"
        return f"{process.create_time():.0f}"
    except (psutil.Error, OSError, OverflowError, ValueError):
        return None
