"""Entry point of the command line: runs one command and returns its exit code.

The modules of a command are imported only when it is given: they take longer to load than `--version` and `--help` may take.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from imageferry import __version__

from .output.console import Console

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

_USAGE = 2
_BUG = 1
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console.standard()
    return console.exit_code(_run(words, console))


def process() -> int:
    """Run one command, then ignore one more signal, so that it cannot change the exit code of a finished run."""
    code = main()
    signals = sys.modules.get(f"{__package__}.cli.signals")
    if signals is not None:
        signals.over()
    return code


def _run(words: list[str], console: Console) -> int:
    try:
        return _dispatch(words, console)
    except KeyboardInterrupt:
        return _interrupted(words, console)
    except Exception as error:  # noqa: BLE001  # last resort: a crash must print one line and keep to --json
        return _bug(words, error, console)


def _dispatch(words: list[str], console: Console) -> int:
    if words == ["--version"]:
        console.out([f"imageferry {__version__}"])
        return 0
    from .cli.parser import UsageError, parse, parser_for  # noqa: PLC0415  # argparse doubles the start-up time of --version

    if not words:
        console.err(parser_for(words).format_help().splitlines())
        return _USAGE
    try:
        arguments = parse(words)
    except UsageError as error:
        return _unusable(words, str(error), console)
    except SystemExit as asked_for_help:
        return int(asked_for_help.code or 0)
    if arguments.command is None:
        return _unusable(words, "no command given (see `imageferry --help`)", console)
    return _start(arguments, console)


def _start(arguments: Namespace, console: Console) -> int:
    """Import and run the command."""
    from .cli.signals import as_interrupts  # noqa: PLC0415  # loaded for this command only

    with as_interrupts():
        if arguments.command == "sandbox":
            from .sandbox.cli import serve  # noqa: PLC0415  # loaded for this command only

            return serve(arguments)
        if arguments.command == "bench":
            from .bench.cli import run  # noqa: PLC0415  # loaded for this command only

            return run(arguments, console)
        if arguments.command == "demo":
            from .demo.demo import demonstrate  # noqa: PLC0415  # loaded for this command only

            return demonstrate(arguments, console)
        from .cli.commands import CommandRun  # noqa: PLC0415  # loaded for this command only

        return CommandRun(arguments, console)()


def _interrupted(words: list[str], console: Console) -> int:
    sentence = "interrupted before or after the run; no call was in flight"
    console.err([f"imageferry: {sentence}"])
    _record(words, "interrupted", sentence, console)
    return _INTERRUPTED


def _unusable(words: list[str], sentence: str, console: Console) -> int:
    console.err([f"imageferry: {sentence}"])
    _record(words, "invalid", sentence, console)
    return _USAGE


def _bug(words: list[str], error: Exception, console: Console) -> int:
    if {"-v", "--verbose"} & set(words):
        import traceback  # noqa: PLC0415  # needed only after a crash

        console.err("".join(traceback.format_exception(error)).splitlines())
    sentence = f"internal error, please report it: {type(error).__name__}: {error}"
    console.err([f"imageferry: {sentence} (run with -v for the traceback)"])
    _record(words, "failed", sentence, console)
    return _BUG


def _record(words: list[str], outcome: str, sentence: str, console: Console) -> None:
    """Print the --json object even if no command could start."""
    if "--json" not in words:
        return
    import json  # noqa: PLC0415  # needed only after an error

    from .output.json_record import report_record  # noqa: PLC0415  # needed only after an error

    command = None if words[0].startswith("-") else words[0]
    console.out([json.dumps(report_record(command, outcome, None, error=sentence))])


if __name__ == "__main__":
    sys.exit(process())
