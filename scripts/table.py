from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.study.kinds.registry import TABLES
from afpbench.tables.build import Context
from afpbench.tables.inputs import Inputs
from afpbench.tables.render import write_files

spec = snakemake.params.spec
table = TABLES.make(spec, snakemake.wildcards.table)
inputs = Inputs(
    dict(snakemake.input.items()),
    spec["rows"],
    snakemake.params.runs,
    snakemake.params.task["losses"],
    snakemake.params.together,
)
files = table.build(inputs, Context(**snakemake.params.task))
write_files(files, Path(snakemake.output.csv).parent)
