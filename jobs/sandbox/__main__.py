"""`python -m imageferry.jobs.sandbox`: the sandbox by itself."""

from __future__ import annotations

import argparse
import sys

from .cli import add_arguments, serve


def main() -> int:
    """Read the flags and serve; return the exit code."""
    parser = argparse.ArgumentParser(prog="imageferry sandbox")
    add_arguments(parser)
    return serve(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
