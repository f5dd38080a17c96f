"""`afpbench repair`: let the next run make what was deleted or damaged."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from .damage import Images, damaged_records, read_images
from .progress import add_run, read_outputs, read_plan, snakemake
from .status import describe_damage

DESCRIPTION = """\
Prepares a study whose files were deleted or damaged for being completed. Snakemake knows synthetic CTs and label maps
by the record of their chunk: the records of chunks with lost images, and those that cannot be understood, are removed,
so that the next run makes these chunks. Other files that were deleted and that nothing needs are listed, with the
command that makes them, and other damaged records with what can be done. The exit code is 1 where something is left
that has to be done by hand, else 0."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench repair`."""
    parser.description = DESCRIPTION
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done, and do nothing")
    add_run(parser)


def run(options: argparse.Namespace) -> int:
    """Remove the records, say what was done and what to run. Returns 0, or 1 where something is left to be done by
    hand; raises AfpbenchError for a bad study file.
    """
    plan = read_plan(options)
    images = read_images(plan)
    chosen = to_remove(images)
    left = {} if options.dry_run else _remove(plan.root, chosen)
    for record, why in chosen.items():
        if record not in left:
            print(f"{'to be removed' if options.dry_run else 'removed'}: {record}, {why}")
    print(_describe(left), end="")
    outputs = read_outputs(options)
    deleted = sorted({output.path for output in outputs if output.state == "deleted"} - set(chosen))
    for path in deleted:
        print(f"deleted, and needed by nothing: {path}")
    damaged = {path: error for path, error in damaged_records(outputs, plan.root).items() if path not in chosen}
    damaged |= {path: error for path, error in images.damaged.items() if path not in chosen}
    print(describe_damage(damaged), end="")
    if not (chosen or deleted or damaged):
        print("nothing was deleted, and no record is damaged")
    if len(chosen) > len(left):
        print(f"now run:    {snakemake(options)}")
    if deleted:
        print(f"to have the others too:    {snakemake(options, *deleted)}")
    if left or damaged:
        print(f"left to be done by hand, as said above: {', '.join([*left, *damaged])}")
    return 1 if left or damaged else 0


def to_remove(images: Images) -> dict[str, str]:
    """Record -> why it has to go, in words. One that cannot be read stays: it may be whole."""
    lost = {record: f"for the lost {', '.join(images)}" for record, images in images.lost.items()}
    return lost | {record: f"as {error.cause}" for record, error in images.damaged.items() if error.readable}


def _remove(root: Path, records: Iterable[str]) -> dict[str, str]:
    """Remove files; returns those that could not be removed with the cause."""
    left = {}
    for record in records:
        try:
            (root / record).unlink()
        except OSError as error:
            left[record] = error.strerror or str(error)
    return left


def _describe(left: Mapping[str, str]) -> str:
    hint = "remove it, or give the rights to its folder, and repair again"
    return "".join(f"could not be removed: {record}: {cause}; {hint}\n" for record, cause in left.items())
