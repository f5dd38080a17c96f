"""What has misled people before: another environment's Snakemake, variables that change a run, a lock left behind."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .finding import Finding

VARIABLES = ("SNAKEMAKE_PROFILE", "AFPBENCH_FAILED_CASES", "AFPBENCH_EXTENSIONS")


def find(root: Path) -> Iterator[Finding]:
    """root: the folder that the study runs in."""
    yield from snakemake_on_path(shutil.which("snakemake"), Path(sys.executable).parent)
    for name in VARIABLES:
        if os.environ.get(name):
            yield Finding("note", "environment", f"{name}={os.environ[name]} reaches every job", f"unset {name}")
    if any((root / ".snakemake" / "locks").glob("*")):
        text = f"{root.resolve()} is locked: a run is at work in it, or was killed"
        yield Finding("note", "lock", text, "if none is at work, `afpbench run STUDY -- --unlock`")


def snakemake_on_path(found: str | None, own: Path) -> Iterator[Finding]:
    """found: the command that a terminal finds. own: the folder of this environment's commands.

    Another environment's Snakemake runs a study with that environment's packages.
    """
    activate = f"source {own / 'activate'}"
    if found is None:
        text = "`snakemake` is not on the PATH: `afpbench run` works, the command by itself does not"
        yield Finding("note", "snakemake", text, activate)
    elif Path(found).parent.resolve() != own.resolve():
        yield Finding("note", "snakemake", f"`snakemake` is {found}, of another environment", activate)
