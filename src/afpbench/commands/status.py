"""`afpbench status`: what of a study is finished, missing, stale or deleted, and why."""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence

from .progress import STATES, Output, add_run, read_lost, read_outputs, read_plan, snakemake

DESCRIPTION = """\
Says how far a study is, rule by rule: what is finished, what the next run would make, and why. Asks Snakemake's dry
run, and looks for images that were deleted beside their records, which Snakemake does not see.
Nothing is run or written. The exit code is 0 where everything is finished, else 1."""
SHOWN = 20  # files of one kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench status`."""
    parser.description = DESCRIPTION
    add_run(parser)


def run(options: argparse.Namespace) -> int:
    """Print the status. Returns 0 where the study is finished, else 1; raises AfpbenchError for a bad study file."""
    lost = read_lost(read_plan(options))
    outputs = read_outputs(options)
    print(describe(outputs, lost))
    finished = not lost and all(output.state == "finished" for output in outputs)
    if any(output.pending for output in outputs):
        print(f"to go on:    {snakemake(options)}")
    if lost or any(output.state == "deleted" for output in outputs):
        named = f" {options.study}" if options.study else ""
        print(f"to make what was deleted:    afpbench repair{named}")
    return 0 if finished else 1


def describe(outputs: Sequence[Output], lost: Mapping[str, Sequence[str]]) -> str:
    """The status in words: counts, then a line for each rule that has something to do."""
    counts = Counter(output.state for output in outputs)
    lines = [f"{counts[state]:>6} {state:<9} {words}" for state, words in STATES.items() if counts[state]]
    for state in list(STATES)[1:]:
        reasons = Counter((output.rule, output.why) for output in outputs if output.state == state)
        lines += [f"{state}: {rule}, {_files(count)}{_why(state, why)}" for (rule, why), count in reasons.items()]
    images = [image for found in lost.values() for image in found]
    if images:
        lines.append(f"lost images, which records tell of: {len(images)}")
        lines += [f"  {image}" for image in images[:SHOWN]]
        lines += [f"  ... and {len(images) - SHOWN} more"] if len(images) > SHOWN else []
    return "\n".join(lines)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _why(state: str, why: str) -> str:
    return f": {why}" if state == "stale" else ""
