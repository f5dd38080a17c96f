"""Run every fuzz test of the suite with many more inputs: `python tests/fuzz/run.py [10000]`, about 20 minutes.

A failure prints the smallest input that was found, and how to try it again.
"""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def main(examples: str = "10000") -> int:
    """The exit code of pytest."""
    command = [sys.executable, "-m", "pytest", "tests/unit/fuzz", "-q", "-p", "no:logging", "--show-capture=no"]
    return subprocess.run(command, cwd=PROJECT, env={**os.environ, "AFPBENCH_FUZZ": str(int(examples))}).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
