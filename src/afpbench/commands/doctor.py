"""`afpbench doctor`: whether this machine and this installation are fit for a study."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ..base.errors import ConfigError
from ..base.package import PROJECT
from ..study.load import read_study
from .findings import LEVELS, Finding, machine, packages, traps, weights
from .progress import DEFAULT, add_run

DESCRIPTION = """\
Looks at the installation: Python and packages against the pinned ones, processor (with or without bfloat16, which
decides how long trainings take), cores, memory, GPU, disk, and weights; with a study, its problems and the weights that
it names. Nothing is run, written or downloaded. The exit code is 1 where there is a problem, else 0."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench doctor`."""
    parser.description = DESCRIPTION
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="print a list of findings as JSON")
    parser.add_argument("--quiet", action="store_true", help="print no line that says ok")


def run(options: argparse.Namespace) -> int:
    """Print the findings. Returns 1 where one is a problem, else 0; raises ConfigError for a file that is no study."""
    found = list(findings(options))
    shown = [finding for finding in found if not (options.quiet and finding.level == "ok")]
    if options.json:
        print(json.dumps([asdict(finding) for finding in shown], indent=2))
    else:
        counts = {level: sum(finding.level == level for finding in found) for level in LEVELS}
        print("\n".join([finding.line() for finding in shown]))
        print(", ".join(f"{level}: {count}" for level, count in counts.items()))
    return int(any(finding.level == "problem" for finding in found))


def findings(options: argparse.Namespace) -> Iterator[Finding]:
    """Everything that is found, the installation first."""
    results = results_folder(options.study or DEFAULT, options.root)
    yield from packages.find(PROJECT)
    yield from machine.find(results)
    yield from traps.find(options.root)
    yield from weights.find(options)


def results_folder(study: Path, root: Path) -> Path:
    """The results folder that a study file names, valid or not."""
    content = read_study(study)
    if not isinstance(content, dict):
        raise ConfigError(f"{study} is no study file", expected="a group of keys with `tasks`")
    named = content.get("results", "results")
    return root / (named if isinstance(named, str) else "results")
