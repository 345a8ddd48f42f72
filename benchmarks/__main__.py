"""Runs the benchmarks that are named, or all of them, one after the other.

    uv run python -m benchmarks [road jobs sandbox …]

Each is a module beside this one and can be run alone. Figures are for reading, never a pass or a fail: a busy machine
says so in the first line.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil

FOLDER = Path(__file__).parent
SUPPORT = {"__main__", "__init__", "house"}


def main() -> None:
    """Runs what the command line names; ends with the number of benchmarks that did not run through."""
    there = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in SUPPORT)
    wanted = sys.argv[1:] or there
    if unknown := set(wanted) - set(there):
        sys.exit(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(there)}.")
    memory = psutil.virtual_memory().total / 2**30
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {memory:.0f} GB, load {load} before the start")
    failed = 0
    for name in wanted:
        print(f"\n== {name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent).returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
