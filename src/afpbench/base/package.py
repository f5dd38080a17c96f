"""Where the package lies, and how other processes find it."""

import os
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PROJECT = PACKAGE.parents[1]  # of a checkout: the folder of the Snakefile


def export_package() -> None:
    """Let every process that this one starts import the package from where it lies (PYTHONPATH)."""
    paths = [str(PACKAGE.parent), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
