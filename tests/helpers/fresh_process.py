"""Code in a Python process of its own, where nothing is imported yet."""

import os
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src"  # of this checkout, whichever one is installed


def printed(code: str, **environment: str) -> str:
    """What the code prints. environment: variables beside those of this process. Raises where it fails."""
    variables = os.environ | {"PYTHONPATH": str(SOURCES)} | environment
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
