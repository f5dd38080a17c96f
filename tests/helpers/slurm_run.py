"""Snakemake through SLURM with the shipped profile, as the tests in tests/slurm run it."""

import subprocess
import sys
from pathlib import Path

from conftest import PROJECT, snakemake

COMMAND = (sys.executable, str(PROJECT / "tests" / "slurm" / "impatient.py"))  # for `snakemake`
PROFILE = (
    "--profile", "profiles/slurm", "--max-jobs-per-timespan", "100/1s",
    "--slurm-init-seconds-before-status-checks", "1", "--configfile", "study.yaml",
)  # fmt: skip


def through_slurm(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the study.yaml of a folder; stdout and stderr together in `.stdout`."""
    return snakemake(folder, *arguments, *PROFILE, command=COMMAND, **environment)
