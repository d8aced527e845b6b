"""A sandbox in a process of its own, its control calls, and a process that is measured beside it.

The share of the quota that was used is read from the store's own meter, at the ends of its windows, not from the one that is measured.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__)
STORE_CPU, OWN_CPU = 1, 0


class ProcessError(Exception):
    """A process of the benchmark could not be started, or died; the text says which."""


@dataclass(slots=True, frozen=True)
class Usage:
    """What the store's meter had counted at a moment: calls taken and turned away, ours and another app's."""

    at: float
    taken: int
    refused: int
    other_taken: int
    other_refused: int


@dataclass(slots=True)
class StoreProcess:
    """A store that runs; `window` is the length of its quota's windows in seconds, None without a quota."""

    address: dict[str, str]
    window: float | None
    quota: int | None
    process: subprocess.Popen[str]

    @property
    def access(self) -> dict[str, str]:
        """What `imageferry.Access` is made of."""
        return {name: self.address[name] for name in ("store_hash", "access_token", "api_url")}

    def usage(self) -> Usage:
        """The meter, now."""
        told = self.settings()["usage"]
        return Usage(time.time(), told["taken"], told["refused"], told["other_taken"], told["other_refused"])

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings of the running store; returns all of them."""
        return dict(json.loads(self.call("/_sandbox/settings", changes or None)))

    def play(self, faults: list[dict[str, Any]]) -> None:
        """Replace the faults that the store plays."""
        self.call("/_sandbox/faults", faults)

    def call(self, path: str, body: object = None, *, token: str | None = None) -> bytes:
        """One call past the engine: a control call, or with the token one of the store's own."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if token is None else {"X-Auth-Token": token}
        request = Request(self.address["api_url"] + path, data=data, headers=headers)  # noqa: S310  # loopback, the sandbox said so itself
        with urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            return bytes(answer.read())

    def images(self) -> int:
        """How many images the store has, by its own count: a call like any other, so the quota has to be lifted."""
        path = f"/stores/{self.address['store_hash']}/v2/products/images/count"
        return int(json.loads(self.call(path, token=self.address["access_token"]))["count"])

    def cpu(self) -> float | None:
        """Processor seconds of the store's process so far, None where the system doesn't tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def stage(
    *flags: str, window: float | None = None, quota: int | None = None, pinned: bool = False
) -> Iterator[StoreProcess]:
    """Run a sandbox with these flags until the context ends.

    Raises StageError if it doesn't start.
    """
    quota_flags = ["--quota", "none" if quota is None else str(quota)]
    if window is not None:
        quota_flags += ["--window-ms", str(round(window * 1000))]
    command = [sys.executable, "-m", "imageferry.jobs.sandbox", "--no-fetch", "--no-log", *quota_flags, *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # the command is ours
    try:
        if pinned:
            pin(process.pid, STORE_CPU)
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise ProcessError(f"the sandbox did not start (exit code {process.wait(10)})")
        yield StoreProcess(json.loads(line), window if quota else None, quota, process)
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout:
            process.stdout.close()


def pin(pid: int, cpu: int) -> None:
    """Keep a process on one processor, where the system knows how and has two."""
    set_affinity = getattr(os, "sched_setaffinity", None)
    if set_affinity is not None and (os.cpu_count() or 1) > 1:
        with suppress(OSError):
            set_affinity(pid, {cpu})


@dataclass(slots=True)
class Measured:
    """What a process told and cost: its own JSON line, its whole processor seconds, its peak in bytes; the meter's readings."""

    told: dict[str, Any]
    cpu: float
    peak: int
    readings: list[Usage] = field(default_factory=list)
    store_cpu: float | None = None


def measured(
    task: dict[str, Any],
    *,
    module: str = "imageferry.jobs.bench.measure.worker",
    beside: StoreProcess | None = None,
    pinned: bool = False,
) -> Measured:
    """Run `python -m module` with the task on its standard input, and read the meter at each window's end.

    Raises StageError if it fails.
    """
    command = [sys.executable, "-I", "-S", str(_HERE.with_name("launcher.py")), "-m", module]
    before = beside.cpu() if beside else None
    process = subprocess.Popen(  # noqa: S603  # the command is ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        if pinned:
            pin(process.pid, OWN_CPU)
        if process.stdin:
            process.stdin.write(json.dumps(task))
            process.stdin.close()
        readings = _watch(process, beside)
        lines = (process.stdout.read() if process.stdout else "").splitlines()
    finally:
        _end(process)
    told, cost = _last(lines, module)
    after = beside.cpu() if beside else None
    store_cpu = after - before if after is not None and before is not None else None
    return Measured(told, cost["cpu"], cost["peak"], readings, store_cpu)


def _watch(process: subprocess.Popen[str], beside: StoreProcess | None) -> list[Usage]:
    """Wait for the end; with a quota, read the meter at the end of each of its windows, which follow the clock."""
    if beside is None:
        process.wait()
        return []
    readings = [beside.usage()]
    while process.poll() is None:
        try:
            process.wait(None if beside.window is None else beside.window - time.time() % beside.window)
        except subprocess.TimeoutExpired:
            readings.append(beside.usage())
    return [*readings, beside.usage()]


def _last(lines: list[str], module: str) -> tuple[dict[str, Any], dict[str, Any]]:
    cost = json.loads(lines[-1]) if lines else {"exit": "unknown"}
    if cost["exit"] != 0 or len(lines) < 2:
        raise ProcessError(f"{module} ended with exit code {cost['exit']}; what it said is on standard error")
    return json.loads(lines[-2]), cost


def _end(process: subprocess.Popen[str]) -> None:
    """Leave no process behind, whatever went wrong: the launcher and what it started are a session of their own."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
