"""`python -m jobs.bench`: the benchmark run by itself."""

from __future__ import annotations

import argparse
import sys

from .cli import add_arguments, run


def main() -> int:
    """Read the flags and measure; return the exit code."""
    parser = argparse.ArgumentParser(prog="imageferry bench")
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
