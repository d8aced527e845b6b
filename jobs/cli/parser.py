"""argv -> a namespace of strings and switches, by the tables in `flags`. Decides nothing about values, reads no environment.

Nothing heavy may be imported here: `--help` and `--version` are held to a few times a bare interpreter's start.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

from imageferry import __version__

from .flags import COMMANDS, GROUPS, Command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import NoReturn

ABOUT = """\
Carries product images in bulk into a BigCommerce store, by a manifest that says which product shall have which images.
A run that breaks off is gone on with by giving the same command again; no image is created twice.
"""

MORE = """\
first steps:
  imageferry demo                           see the whole way, with nothing to set up
  imageferry COMMAND --help                 each command's flags, with an example

a real store (BIGCOMMERCE_STORE_HASH and BIGCOMMERCE_ACCESS_TOKEN set):
  imageferry plan products.jsonl            look
  imageferry migrate products.jsonl         carry
  imageferry verify products.jsonl          check

exit codes: 0 as asked, 1 some images failed or differ, 2 settings or manifest wrong, 3 a guard refused, 4 another run
holds the checkpoint, 5 store out of reach or credentials refused, 6 disk failed, 130 interrupted
"""


OWN_MODULES = {"sandbox": "..sandbox.cli", "bench": "..bench.cli"}
"""Commands whose flags are no table's: loaded only when given, since other commands' help does without them."""


class UsageError(Exception):
    """The command line makes no sense; the text is one sentence for a person."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise instead of ending the process, so that --json is kept to even then."""
        raise UsageError(f"{message} (`{self.prog} --help` shows what there is)")


def parser_for(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; the many flags of sandbox and bench are only made where they are asked for."""
    parser = _Parser(
        prog="imageferry",
        description=ABOUT,
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"imageferry {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog="imageferry")
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.summary, allow_abbrev=False)
        if command.name not in OWN_MODULES:
            _fill(sub, command)
        elif argv[:1] == [command.name]:
            module_of(command.name).add_arguments(sub)
    return parser


def module_of(command: str) -> ModuleType:
    """The module of a command that declares its own flags: `add_arguments(parser)` and what runs it."""
    return import_module(OWN_MODULES[command], __package__)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read argv.

    Raises UsageError, and SystemExit after --help and --version.
    """
    return parser_for(argv).parse_args(argv)


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.usage = " ".join(filter(None, ("imageferry", command.name, command.argument, "[flags]")))
    parser.description = command.about
    parser.epilog = f"example:\n  {command.example}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    if command.argument is not None:
        parser.add_argument("argument", metavar=command.argument, help=_ARGUMENTS[command.argument])
    for flag in command.own:
        flag.declare(parser)
    for group in command.groups:
        title, flags = GROUPS[group]
        place = parser.add_argument_group(title)
        for flag in flags:
            flag.declare(place)


_ARGUMENTS = {
    "MANIFEST": "JSON Lines or CSV, also .gz; - is standard input",
    "PLAN": "a file that `imageferry plan` wrote",
    "CHECKPOINT": "where a run is remembered: MANIFEST.checkpoint.json if nothing else was asked for",
}
