"""Parser of the command line: turns argv into a namespace of strings and switches, from the tables in `flags`.

Checks no values and reads no environment. Imports nothing heavy: a test limits the start-up time of `--help` and `--version`.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

from imageferry import __version__

from .command_table import COMMANDS, Command
from .flags import GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import NoReturn

ABOUT = """\
Uploads product images to a BigCommerce store from a manifest that lists each product's images.
To resume an interrupted run, run the same command again; no image is created twice.
"""

MORE = """\
first steps:
  imageferry demo                           run the complete workflow; needs no setup
  imageferry COMMAND --help                 show the flags of a command and an example

a real store (set BIGCOMMERCE_STORE_HASH and BIGCOMMERCE_ACCESS_TOKEN):
  imageferry plan products.jsonl            show what would change
  imageferry migrate products.jsonl         create and update images
  imageferry verify products.jsonl          compare the store with the manifest

exit codes: 0 the store matches, 1 some images failed or differ, 2 settings or manifest wrong, 3 a guard refused,
4 another run holds the checkpoint, 5 store unreachable or credentials refused, 6 disk failed, 130 interrupted
"""


OWN_MODULES = {"sandbox": "..sandbox.cli", "bench": "..bench.cli"}
"""Commands that declare their own flags. Their modules are imported only for these commands."""


class UsageError(Exception):
    """Raised for an invalid command line. The text is one sentence for the user."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of exiting, so that --json still prints its object."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def parser_for(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser. The flags of sandbox and bench are added only if `argv` names that command."""
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
    """Import and return the module of a command that declares its own flags with `add_arguments`."""
    return import_module(OWN_MODULES[command], __package__)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse `argv`.

    Raises UsageError, and SystemExit after --help and --version.
    """
    return parser_for(argv).parse_args(argv)


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.usage = " ".join(filter(None, ("imageferry", command.name, command.argument, "[flags]")))
    parser.description = command.about
    parser.epilog = f"example:\n  {command.example}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    if command.argument is not None:
        parser.add_argument("argument", metavar=command.argument, help=_ARGUMENT_HELP[command.argument])
    for flag in command.own:
        flag.declare(parser)
    for group in command.groups:
        title, flags = GROUPS[group]
        section = parser.add_argument_group(title)
        for flag in flags:
            flag.declare(section)


_ARGUMENT_HELP = {
    "MANIFEST": "JSON Lines or CSV file, optionally .gz; - reads standard input",
    "PLAN": "plan file that `imageferry plan` wrote",
    "CHECKPOINT": "checkpoint of the run: MANIFEST.checkpoint.json, or the file given with --checkpoint",
}
