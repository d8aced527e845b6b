"""`python -m imageferry`: the command line."""

from __future__ import annotations

import sys

from imageferry.jobs.__main__ import process

if __name__ == "__main__":
    sys.exit(process())
