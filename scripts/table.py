from afpbench import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.metrics.longtable import read_long
from afpbench.statistics import read_statistics
from afpbench.tables.build import Context, build_all
from afpbench.tables.captions import loss_notes
from afpbench.tables.render import write_table

task = dict(snakemake.params.task)
losses = task.pop("losses")
context = Context(**task, notes=loss_notes(losses, task["labels"]))
long, statistics = read_long(snakemake.input.metrics), read_statistics(snakemake.input.statistics)
for table in build_all(snakemake.wildcards.table, snakemake.params.spec, long, statistics, context):
    write_table(table, Path(snakemake.output.csv).parent)
