"""The sandbox on the command line: its flags, made of the table in `config`, and serving until it is told to stop.

Looking at the flags loads nothing heavy; the server is imported when it is started.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from .config import Config, Switch, switches
from .faults import KINDS, from_words

if TYPE_CHECKING:
    from collections.abc import Callable

ABOUT = """\
Not reproduced by this store: V3 and XML; OAuth, Basic authentication and scopes; products beyond the few fields that it takes
to enumerate them, and any way to write them; a CDN with its caches and delays (renditions are made on demand, and a picture
that is no larger than a rendition is served unchanged in its place); re-encoding of what is stored; a WebDAV server (the
import folder is a folder of this machine); TLS; the speed of a real store and of its fetcher. What nobody outside BigCommerce
knows for certain is a switch below, its default the documented or likeliest reading. A run that goes well here is no proof
that a real store behaves the same.

Reproduced are BigCommerce's V2 product images, and of its products as much as it takes to find them: operations, statuses,
errors, limits, quota headers, the renaming of files, the side effects on thumbnail and order. It listens on 127.0.0.1 only.
The first line of output is JSON: api_url, store_hash, access_token, import_folder, storefront_url. A browser at api_url shows
the pictures. SIGINT or SIGTERM ends it.
"""

CONTROL = """\
faults: --fault KIND[,share=0.1][,methods=POST+PUT][,path=/images][,after=N][,count=N][,status=N][,delay=SECONDS], may be
repeated; the first one that strikes is played. Kinds:
"""

CALLS = """
control calls, neither metered nor logged, without a token:
  GET, DELETE /_sandbox/log       every call with what was answered and whether it was carried out (JSON Lines)
  GET /_sandbox/state             products with images; ?product_id=N, &digests=1 for each picture's SHA-256 (JSON Lines)
  GET, POST /_sandbox/faults      the faults and how often they struck; a list replaces them, as does {"seed", "faults"}
  GET, POST /_sandbox/settings    the switches that can be changed while it runs, by their names with underscores
  POST /_sandbox/edit             {"method", "path", "body"}: what another person does, past quota, faults and log;
                                  POST /products and DELETE /products/N add and remove a product
"""

_GROUPS = {
    "port": "where it is and what it holds",
    "renumber": "what the documentation leaves open",
    "quota": "quota",
    "latency": "time, network, log",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sandbox's flags; they land in `arguments` with `sandbox_` before their names."""
    kinds = "\n".join(f"  {name:<15} {text}" for name, text in KINDS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "%(prog)s [options]"
    parser.description = ABOUT
    parser.epilog = f"{CONTROL}{kinds}\n{CALLS}"
    group = parser.add_argument_group()
    for switch in switches():
        if switch.name in _GROUPS:
            group = parser.add_argument_group(_GROUPS[switch.name])
        group.add_argument(f"--{switch.name.replace('_', '-')}", **_option(switch))
    group.add_argument(
        "--fault",
        dest="sandbox_faults",
        action="append",
        default=[],
        type=_a(from_words),
        metavar="FAULT",
        help="see below",
    )


def _option(switch: Switch) -> dict[str, Any]:
    shown = "" if switch.default in (None, "") or switch.kind is bool else f" ({switch.default})"
    option: dict[str, Any] = {"dest": f"sandbox_{switch.name}", "default": switch.default, "help": switch.text + shown}
    if switch.kind is bool:
        option["action"] = argparse.BooleanOptionalAction
        option["help"] += " (on)" if switch.default else ""
    elif switch.choices:
        option["choices"] = switch.choices
    else:
        option["metavar"] = {int: "N", float: "N", str: "TEXT"}.get(switch.kind, "PATH")
        option["type"] = _a(_none_or_number) if switch.optional and switch.kind is int else _a(switch.kind)
    return option


def _none_or_number(text: str) -> int | None:
    return None if text == "none" else int(text)


def _a(make: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader of a flag's value that refuses what makes no sense with the reason for it."""

    def read(text: str) -> Any:
        try:
            value = make(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
        if isinstance(value, (int, float)) and value < 0:
            raise argparse.ArgumentTypeError(f"{text!r}: must not be negative")
        return value

    return read


def configured(arguments: argparse.Namespace) -> Config:
    """Return the configuration that the flags describe."""
    values = {each.name: getattr(arguments, f"sandbox_{each.name}") for each in switches()}
    return Config(**values, faults=tuple(arguments.sandbox_faults))


def serve(arguments: argparse.Namespace) -> int:
    """Run the store until SIGINT or SIGTERM and return the exit code: 0, 2 for what can't be served, 6 for a failing disk."""
    import asyncio  # noqa: PLC0415 - as below

    try:
        asyncio.run(_serve(configured(arguments)))
    except ValueError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2 if error.filename is None else 6
    return 0


async def _serve(config: Config) -> None:
    import asyncio  # noqa: PLC0415 - a server takes long to load, help should not
    import json  # noqa: PLC0415 - as above
    import signal  # noqa: PLC0415 - as above

    from .server.app import running  # noqa: PLC0415 - as above

    del _one_large_block()[:]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        # Windows' loop has no such handlers; Ctrl-C ends it there as it ends any program.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(each, stop.set)
    async with running(config) as sandbox:
        for line in sandbox.left_out:
            sys.stderr.write(f"sandbox: {line}\n")
        sys.stdout.write(json.dumps(sandbox.address()) + "\n")
        sys.stdout.flush()
        await stop.wait()


def _one_large_block() -> bytearray:
    """Return a block whose release keeps glibc from mapping and unmapping memory at every read of a socket."""
    return bytearray(8 << 20)
