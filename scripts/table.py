from afpbench import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.metrics.longtable import read_long
from afpbench.statistics import read_statistics
from afpbench.tables.build import Context, build_all
from afpbench.tables.captions import calibration_notes, loss_notes
from afpbench.tables.render import write_table

task = dict(snakemake.params.task)
losses = task.pop("losses")
long, statistics = read_long(snakemake.input.metrics), read_statistics(snakemake.input.statistics)
notes = [loss_notes(losses, task["labels"]), calibration_notes(long, task["labels"], task["task"])]
context = Context(**task, notes=" ".join(note for note in notes if note))
for table in build_all(snakemake.wildcards.table, snakemake.params.spec, long, statistics, context):
    write_table(table, Path(snakemake.output.csv).parent)
