"""What a note about the holder of a lock tells to whoever reads it, here or on another machine. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

HERE, GONE, ELSEWHERE = "here", "gone", "elsewhere"
"""The note's process can be looked for; it can't exist any more; it can't be seen from here."""
_FIRST_NAMESPACE = "pid:[4026531836]"
"""The process ids of a Linux machine itself; a container has a number of its own, another one after each start."""
_LONGEST = 200


@dataclass(slots=True, frozen=True)
class ProcessPlace:
    """Where a process runs, as far as the system tells: machine, its start, its space of process ids. None: not told."""

    host: str
    machine: str | None = None
    boot: str | None = None
    processes: str | None = None

    def row(self) -> dict[str, Any]:
        """The keys of a note."""
        return asdict(self)


def process_place(note: dict[str, Any]) -> ProcessPlace | None:
    """Where a note was written; None where it doesn't say: notes of earlier versions don't."""
    host = note.get("host")
    if not isinstance(host, str) or not host or len(host) > _LONGEST:
        return None
    told = (note.get(name) for name in ("machine", "boot", "processes"))
    return ProcessPlace(host, *(each if isinstance(each, str) else None for each in told))


def locate(there: ProcessPlace | None, here: ProcessPlace) -> str:
    """Whether a process that was noted at one place can be seen from another.

    Only a machine that is known to be this one, and to have been started anew since, has certainly lost its processes.
    """
    if there is None:
        return HERE
    if there.boot != here.boot:
        same = there.host == here.host and there.machine is not None and there.machine == here.machine
        return GONE if same and there.processes == here.processes == _FIRST_NAMESPACE else ELSEWHERE
    if there.boot is None:
        return HERE if there.host == here.host else ELSEWHERE
    return HERE if there.processes == here.processes else ELSEWHERE
