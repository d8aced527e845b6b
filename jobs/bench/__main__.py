"""`python -m imageferry.jobs.bench`: the benchmark run by itself."""

from __future__ import annotations

import argparse
import sys

from ..output.console import Console
from .cli import add_arguments, run


def main() -> int:
    """Read the flags and measure; return the exit code."""
    console = Console.standard()
    parser = argparse.ArgumentParser(prog="imageferry bench")
    add_arguments(parser)
    return console.exit_code(run(parser.parse_args(), console))


if __name__ == "__main__":
    sys.exit(main())
