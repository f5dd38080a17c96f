"""How far a study is: what Snakemake's dry run says of each file, and images that were deleted beside their records."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ..base.errors import ConfigError
from ..base.package import PROJECT
from ..study.plan import StudyPlan
from .arguments import add_choice, add_study, chosen, load_chosen

COLUMNS = ["output_file", "date", "rule", "log-file(s)", "status", "plan"]  # of `snakemake --summary`
DEFAULT = PROJECT / "config" / "config.yaml"  # what the Snakefile reads where no study is named
STATES = {
    "finished": "there, and made by what the study says now",
    "missing": "not there, and to be made by the next run",
    "stale": "there, and to be made again by the next run",
    "deleted": "not there, but nothing that is to be made needs it",
}


@dataclass(frozen=True)
class Output:
    """A file or folder that a rule makes. status: Snakemake's words. pending: whether the next run makes it."""

    path: str
    rule: str
    status: str
    pending: bool

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.status == "missing":
            return "missing" if self.pending else "deleted"
        return "stale" if self.pending else "finished"

    @property
    def why(self) -> str:
        """Why it is made, in words."""
        return "what it is made of is made again" if self.pending and self.status == "ok" else self.status


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declare the study of a run: the default one where none is named."""
    add_study(parser, required=False, words="the study file (default: config/config.yaml)")
    add_choice(parser)


def read_plan(options: argparse.Namespace) -> StudyPlan:
    """The plan of the study that the arguments name."""
    return StudyPlan(load_chosen(options, DEFAULT), options.root)


def snakemake(options: argparse.Namespace, *targets: str) -> str:
    """The command that runs the study, for people. In a folder of the user's own it says where the workflow is."""
    where = [] if options.root.resolve() == PROJECT else ["--snakefile", str(PROJECT / "Snakefile")]
    words = ["snakemake", *where, "--cores", "all", *_arguments(options), *(["--", *targets] if targets else [])]
    return shlex.join(words)


def command(options: argparse.Namespace, *more: str, before: Sequence[str] = ()) -> list[str]:
    """This environment's Snakemake on the study, as a child process takes it. before, more: its own options."""
    first = [sys.executable, "-m", "snakemake", *before, "--snakefile", str(PROJECT / "Snakefile")]
    return [*first, *_arguments(options), *more]


def read_outputs(options: argparse.Namespace) -> list[Output]:
    """Every file of the study, as Snakemake sees it. Nothing is run. Raises ConfigError where Snakemake fails."""
    words = command(options, "--cores", "1", "--nolock", "--summary")
    result = subprocess.run(words, cwd=options.root, env=dict(os.environ), capture_output=True, text=True)
    if result.returncode != 0:
        raise ConfigError(
            "Snakemake cannot say how far the study is",
            found=result.stderr.strip()[-2000:],
            hint=f"run `{snakemake(options)} -n` in {options.root.resolve()} to see all of it",
        )
    return parse(result.stdout)


def parse(text: str) -> list[Output]:
    """The lines of `snakemake --summary`. Raises ConfigError for another table than is expected."""
    lines = [line.split("\t") for line in text.splitlines() if "\t" in line]
    if not lines or lines[0] != COLUMNS:
        found = "\t".join(lines[0]) if lines else "no table"
        raise ConfigError("`snakemake --summary` printed something else", found=found, expected="\t".join(COLUMNS))
    return [Output(path, rule, status, plan == "update pending") for path, _, rule, _, status, plan in lines[1:]]


def _arguments(options: argparse.Namespace) -> list[str]:
    study = [] if options.study is None else ["--configfile", str(options.study)]
    words = [f"{key}={value}".replace(" ", "") for key, value in chosen(options).items()]
    return study + (["--config", *words] if words else [])
