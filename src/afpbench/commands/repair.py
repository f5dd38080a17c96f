"""`afpbench repair`: let the next run make what was deleted."""

import argparse

from .progress import add_run, read_lost, read_outputs, read_plan, snakemake

DESCRIPTION = """\
Prepares a study whose files were deleted by hand for being completed. Snakemake knows synthetic CTs and label maps by
the record of their chunk: the records of chunks with lost images are removed, so that the next run makes these chunks.
Other files that were deleted and that nothing needs are listed, with the command that makes them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `afpbench repair`."""
    parser.description = DESCRIPTION
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done, and do nothing")
    add_run(parser)


def run(options: argparse.Namespace) -> int:
    """Remove the records, say what was done and what to run. Returns 0; raises AfpbenchError for a bad study file."""
    plan = read_plan(options)
    lost = read_lost(plan)
    for record, images in lost.items():
        if not options.dry_run:
            (plan.root / record).unlink()
        print(f"{'to be removed' if options.dry_run else 'removed'}: {record}, for the lost {', '.join(images)}")
    deleted = sorted({output.path for output in read_outputs(options) if output.state == "deleted"} - set(lost))
    for path in deleted:
        print(f"deleted, and needed by nothing: {path}")
    if not lost and not deleted:
        print("nothing was deleted")
    if lost:
        print(f"now run:    {snakemake(options)}")
    if deleted:
        print(f"to have the others too:    {snakemake(options, *deleted)}")
        print("What was made of a folder that is made again runs again too: of folders Snakemake knows the dates only.")
    return 0
