"""A sandbox that runs beside a test, and the command line against it: in this process, or in one of its own."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from imageferry.jobs.__main__ import main
from imageferry.jobs.sandbox import Config, Sandbox, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Result:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The last line of standard output, as JSON."""
        return json.loads(self.out.splitlines()[-1])


@dataclass
class Rehearsal:
    """A store, the environment that leads to it, and a folder to work in."""

    sandbox: Sandbox
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            "BIGCOMMERCE_API_URL": self.sandbox.api_url,
            "BIGCOMMERCE_STORE_HASH": self.sandbox.store_hash,
            "BIGCOMMERCE_ACCESS_TOKEN": self.sandbox.access_token,
        }

    def write(self, products: dict[int, int], name: str = "products.jsonl", **more: Any) -> Path:
        """A manifest: product id -> how many images; `more` goes into each image."""
        path = self.folder / name
        lines = (
            {
                "product_id": number,
                "images": [{"image_file": picture(number, n), "sort_order": n, **more} for n in range(count)],
            }
            for number, count in products.items()
        )
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def run(self, *argv: object, **environment: str) -> Result:
        """The command in this process, its streams caught; no terminal."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        variables = {**clean_environment(), **self.environment, **environment}
        with patch.dict(os.environ, variables, clear=True), redirect_stdout(out), redirect_stderr(err):
            code = main(list(map(str, argv)))
        return Result(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]  # BytesIO

    def spawn(self, *argv: object, feed: bytes = b"", **environment: str) -> Result:
        """The command in a process of its own."""
        with self.started(*argv, **environment) as process:
            out, err = process.communicate(feed, timeout=50)
        return Result(process.returncode, out.decode(), err.decode())

    @contextmanager
    def started(self, *argv: object, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Such a process, left to itself for a while; killed in the end if it still runs."""
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "imageferry", *map(str, argv)]
        variables = {**clean_environment(), **self.environment, **environment}
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=variables, cwd=self.folder) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()


def picture(product_id: int, n: int) -> str:
    """An address that nobody serves; a sandbox that doesn't fetch takes it."""
    return f"https://old.example.com/{product_id}-{n}.jpg"


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead to a store, or through a proxy."""
    leads = ("bigcommerce_", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
    return {name: value for name, value in os.environ.items() if not name.lower().startswith(leads)}


@contextmanager
def rehearsing(folder: Path, **config: Any) -> Iterator[Rehearsal]:
    """Serve a sandbox from a thread; by default one that doesn't fetch and has no quota."""
    settings = {"products": 40, "fetch": False, "quota": None, **config}
    ready: list[tuple[Sandbox, asyncio.AbstractEventLoop, asyncio.Event]] = []
    up = threading.Event()

    async def serve() -> None:
        async with running(Config(**settings)) as sandbox:
            done = asyncio.Event()
            ready.append((sandbox, asyncio.get_running_loop(), done))
            up.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(20)
    sandbox, loop, done = ready[0]
    try:
        yield Rehearsal(sandbox, folder)
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(20)


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
