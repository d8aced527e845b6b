"""One peer does one task: JSON from standard input, one line of JSON to standard output."""

from __future__ import annotations

import asyncio
import gc
import json
import sys

from .task import Task


def main() -> None:
    """Load what the peer needs, then do its work."""
    task = Task(**json.loads(sys.stdin.read()))
    if task.peer.startswith("SDK"):
        from .sdk import work as sdk  # noqa: PLC0415  # only this peer needs it installed

        gc.collect()
        told = sdk(task)
    else:
        from .loops import work as loop  # noqa: PLC0415  # as above

        gc.collect()
        told = asyncio.run(loop(task))
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
