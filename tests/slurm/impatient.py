"""Snakemake that asks SLURM every second how its jobs are doing: `python impatient.py ARGUMENTS OF SNAKEMAKE`.

The executor asks ever more rarely while nothing ends, 10 s later each time and up to every 180 s, which no option
changes: right for a cluster, but of a small study it makes mostly waiting. Nothing else differs, and the jobs are run
by Snakemake itself.
"""

import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

SECONDS = 1

if __name__ == "__main__":
    RemoteExecutor.next_seconds_between_status_checks = property(lambda self: SECONDS, lambda self, seconds: None)
    sys.exit(main())
