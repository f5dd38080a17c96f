"""`afpbench run`: a study from start to tables, by Snakemake, with one line for each running job."""

import argparse
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..base.package import PROJECT
from .doctor import results_folder
from .progress import DEFAULT, add_run, command
from .running import child
from .running.display import Display, choose
from .running.durations import mean_seconds, read_costs, record_kinds
from .running.state import RunState

DESCRIPTION = """\
Runs a study: the same as `snakemake --cores all --configfile STUDY.yaml`, shown otherwise. Words after `--` are
Snakemake's own options. On a terminal each running job has a line, with epoch, loss and time left of trainings;
elsewhere each job has a line when it begins and one when it ends. What is finished is kept: the same command goes on
after a stop. The exit code is Snakemake's: 0 where all is finished."""
HOW_MANY = ("--cores", "-c", "--jobs", "-j", "--profile", "--executor", "-e")  # with one of them `all` is no default
OWN_OUTPUT = (
    "-n",
    "--dry-run",
    "--dryrun",
    "--logger",
    "-q",
    "--quiet",
    "-h",
    "--help",
)  # Snakemake's is shown as it is


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench run`. What follows `--` is in `options.more` (commands.main)."""
    parser.description = DESCRIPTION
    parser.usage = "afpbench run [STUDY.yaml] [--cores N] [--preset P] [--seeds S] [--root R] [-- SNAKEMAKE OPTIONS]"
    add_run(parser)
    parser.add_argument("--cores", help="how many cores it may use (default: all)")


def run(options: argparse.Namespace) -> int:
    """Run the study; return Snakemake's exit code. Raises ConfigError for a file that is no study."""
    results = results_folder(options.study or DEFAULT, options.root)
    more = [*cores(options.cores, options.more), *options.more]
    if any(word.split("=")[0] in OWN_OUTPUT for word in options.more):
        return subprocess.run(command(options, *more), cwd=options.root).returncode
    known = mean_seconds(read_costs(results), record_kinds(PROJECT / "workflow" / "rules"))
    state = RunState(time.monotonic, known, options.root)
    words = command(options, *more, before=child.LOGGER_OPTION)
    with choose(state) as display:
        return child.run(words, options.root, lambda event: hear(event, state, display), display.refresh)


def hear(event: Mapping[str, Any], state: RunState, display: Display) -> None:
    """Take in one event and show it."""
    job = state.hear(event)
    if event["event"] == "text":
        display.text(event["text"])
    elif job:
        if event["event"] == "job_info":
            display.began(job)
        else:
            display.ended(job, failed=event["event"] == "job_error")


def cores(number: str | None, more: Sequence[str]) -> list[str]:
    """The option `--cores` for Snakemake: as asked for, else `all` unless Snakemake's own options say how many."""
    own = any(word.split("=")[0] in HOW_MANY for word in more)
    return [] if number is None and own else ["--cores", number or "all"]
