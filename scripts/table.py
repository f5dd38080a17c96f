from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.base.atomic import read_json
from afpbench.metrics.longtable import read_long
from afpbench.metrics.statistics import read_statistics
from afpbench.tables.build import Context, build_all
from afpbench.tables.captions import calibration_notes, loss_notes
from afpbench.tables.cost import build_cost_tables, pooled_cost
from afpbench.tables.render import write_table

name, spec, task = snakemake.wildcards.table, snakemake.params.spec, dict(snakemake.params.task)
rows = spec["rows"]
losses = loss_notes(task.pop("losses"), task["labels"], rows)
if spec["kind"] == "cost":
    folds = {row: [] for row in rows}
    for path in map(Path, snakemake.input.costs):
        folds[path.parent.name].append(read_json(path))
    costs = {row: pooled_cost(records) for row, records in folds.items()}
    syntheses = {row: [] for row in costs}
    for path in map(Path, snakemake.input.syntheses):
        syntheses[path.parents[1].name] += read_json(path)["cases"]
    tables = build_cost_tables(name, spec, costs, syntheses, Context(**task, notes=losses))
else:
    long, statistics = read_long(snakemake.input.metrics), read_statistics(snakemake.input.statistics)
    notes = [losses, calibration_notes(long[long["variant"].isin(rows)], task["labels"], task["task"])]
    context = Context(**task, notes=" ".join(note for note in notes if note))
    tables = build_all(name, spec, long, statistics, context)
for table in tables:
    write_table(table, Path(snakemake.output.csv).parent)
