"""Starts one Python process and tells what it cost: processor seconds and peak memory, as a last line of JSON.

A process's peak counts its parent's at the fork, so the parent has to be small: this one runs isolated and imports next to nothing.
"""

import json
import os
import sys

if __name__ == "__main__":
    child = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ)
    _, status, usage = os.wait4(child, 0)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, KiB elsewhere
    told = {
        "exit": os.waitstatus_to_exitcode(status),
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * unit,
    }
    sys.stdout.write(json.dumps(told) + "\n")
