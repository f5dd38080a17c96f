"""`afpbench status`: what of a study is finished, missing, stale or deleted, and why."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..base.errors import ConfigError, UnusableFile
from .damage import Images, damaged_records, read_images
from .progress import STATES, Output, add_run, read_outputs, read_plan, snakemake

DESCRIPTION = """\
Says how far a study is, rule by rule: what is finished, what the next run would make, and why. Asks Snakemake's dry
run, and looks for what Snakemake does not see: images that were deleted beside their records, and damaged records.
Nothing is run or written. The exit code is 0 where everything is finished, else 1."""
SHOWN = 20  # files of one kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench status`."""
    parser.description = DESCRIPTION
    add_run(parser)
    parser.add_argument(
        "--json", action="store_true", help="print counts, rules, lost images and damaged records as JSON"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing: the exit code says it")


def run(options: argparse.Namespace) -> int:
    """Print the status. Returns 0 where the study is finished, else 1; raises AfpbenchError for a bad study file."""
    plan = read_plan(options)
    images = read_images(plan)
    try:
        outputs = read_outputs(options)
    except ConfigError:  # perhaps because of what is damaged: that is told all the same
        print(describe_damage(images.damaged), end="", file=sys.stderr)
        raise
    damaged = images.damaged | damaged_records(outputs, plan.root)
    finished = not (images.lost or damaged) and all(output.state == "finished" for output in outputs)
    if options.json:
        print(json.dumps({"finished": finished, **as_record(outputs, images.lost, damaged)}, indent=2))
    elif not options.quiet:
        print(describe(outputs, images.lost))
        print(describe_damage(damaged), end="")
        print("".join(f"{line}\n" for line in next_steps(options, outputs, images)), end="")
    return 0 if finished else 1


def as_record(
    outputs: Sequence[Output], lost: Mapping[str, Sequence[str]], damaged: Mapping[str, UnusableFile]
) -> dict[str, Any]:
    """The status for a script: files by state, each rule that has something to do, lost images, damaged records."""
    counts = Counter(output.state for output in outputs)
    reasons = Counter((output.rule, output.state, output.why) for output in outputs if output.state != "finished")
    return {
        "files": {state: counts[state] for state in STATES},
        "rules": [
            {"rule": rule, "state": state, "why": why, "files": count} for (rule, state, why), count in reasons.items()
        ],
        "lost_images": [image for found in lost.values() for image in found],
        "damaged": {path: error.cause for path, error in damaged.items()},
    }


def next_steps(options: argparse.Namespace, outputs: Sequence[Output], images: Images) -> Iterator[str]:
    """What to type next."""
    if any(output.pending for output in outputs):
        yield f"to go on:    {snakemake(options)}"
    if images.lost or images.damaged or any(output.state == "deleted" for output in outputs):
        named = f" {options.study}" if options.study else ""
        yield f"to make what was deleted, or is damaged:    afpbench repair{named}"


def describe_damage(damaged: Mapping[str, UnusableFile]) -> str:
    """Every damaged record with the cause and what can be done; nothing where there is none."""
    lines = [f"damaged: {error}" for error in damaged.values()]
    return "".join(f"{line}\n" for line in lines)


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
