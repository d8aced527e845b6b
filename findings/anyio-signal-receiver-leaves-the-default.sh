#!/usr/bin/env bash
# Expected: when anyio's open_signal_receiver ends, the handlers that were set before it are set again.
# Seen with anyio 4.16.0 on asyncio: the handler that was set before is gone, and SIGTERM kills the process from then on. A program that
# writes its report after its event loop has ended must set its own handler again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check anyio==4.16.0
"$folder/env/bin/python" - <<'PY'
import signal
from importlib.metadata import version

import anyio


def own(*_: object) -> None:
    """The program's own handler."""


async def receive() -> None:
    with anyio.open_signal_receiver(signal.SIGTERM):
        await anyio.sleep(0)


signal.signal(signal.SIGTERM, own)
anyio.run(receive)
after = signal.getsignal(signal.SIGTERM)
print(f"anyio {version('anyio')}")
print(f"the handler before: {own.__name__}; after open_signal_receiver has ended: {after!r}")
assert after is signal.SIG_DFL, "the former handler is no longer replaced by the default one"
PY
