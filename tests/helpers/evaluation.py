"""`afpbench evaluate` as a person calls it, to the end of its study."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import PROJECT


def evaluate(folder: Path, *arguments: str) -> str:
    """Run it in the folder; return what it printed."""
    command = [sys.executable, "-m", "afpbench", "evaluate", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    result = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, (result.stdout + result.stderr)[-6000:]
    return result.stdout
