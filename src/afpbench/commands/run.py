"""`afpbench run`: a study from start to tables, by Snakemake, with one line for each running job."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
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
after a stop. Ctrl-C ends it, a second one at once; Ctrl-Z pauses it. The exit code is Snakemake's, 0 where all is
finished, or 128 + a signal's number: 130 after Ctrl-C."""
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
BY_SIGNALS = {  # event -> what is said of it
    "stopping": "afpbench: stopping, the running jobs are ended; Ctrl-C again kills them",
    "killing": "afpbench: the running jobs are killed; Ctrl-C once more kills Snakemake too, and leaves its lock",
    "killed": "afpbench: Snakemake is killed. If the folder stays locked: its option --unlock, once, removes the lock",
}
STOPPED = "afpbench: the run was stopped. Finished work is kept: the same command goes on where it was."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench run`. What follows `--` is in `options.more` (commands.main)."""
    parser.description = DESCRIPTION
    parser.usage = "afpbench run [STUDY.yaml] [--cores N] [--preset P] [--seeds S] [--root R] [-- SNAKEMAKE OPTIONS]"
    add_run(parser)
    parser.add_argument("--cores", help="how many cores it may use (default: all)")


def run(options: argparse.Namespace) -> int:
    """Run the study; return the exit code of `follow`. Raises ConfigError for a file that is no study."""
    results = results_folder(options.study or DEFAULT, options.root)
    more = [*cores(options.cores, options.more), *options.more]
    if any(word.split("=")[0] in OWN_OUTPUT for word in options.more):
        return child.run_plainly(command(options, *more), options.root)
    return follow(command(options, *more, before=child.LOGGER_OPTION), options.root, results)


def follow(words: Sequence[str], root: Path, results: Path) -> int:
    """Run Snakemake, and show how far it is.

    words: the whole command, with child.LOGGER_OPTION. root: the folder that it runs in. results: the study's results
    folder, whose finished jobs say how long others take. Returns Snakemake's exit code, or 128 + a signal's number
    where one ended it; of SIGPIPE where nobody reads what is printed.
    """
    known = mean_seconds(read_costs(results), record_kinds(PROJECT / "workflow" / "rules"))
    state = RunState(time.monotonic, known, root)
    try:
        with choose(state) as display:
            code = child.run(words, root, lambda event: hear(event, state, display), display.refresh, display.pause)
    except BrokenPipeError:  # as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        state.stopping, code = True, 128 + signal.SIGPIPE
    if state.stopping and code:
        print(STOPPED, file=sys.stderr)
    return code


def hear(event: Mapping[str, Any], state: RunState, display: Display) -> None:
    """Take in one event and show it; but what Snakemake says of jobs that were asked to end is no news."""
    job, name = state.hear(event), event["event"]
    if name in BY_SIGNALS:
        display.text(BY_SIGNALS[name])
    elif state.stopping and name != "job_finished":
        return
    elif name == "text":
        display.text(event["text"])
    elif job:
        if name == "job_info":
            display.began(job)
        else:
            display.ended(job, failed=name == "job_error")


def cores(number: str | None, more: Sequence[str]) -> list[str]:
    """The option `--cores` for Snakemake: as asked for, else `all` unless Snakemake's own options say how many."""
    own = any(word.split("=")[0] in HOW_MANY for word in more)
    return [] if number is None and own else ["--cores", number or "all"]
