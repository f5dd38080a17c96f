from afpbench import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import alive
from afpbench.inference.chunks import run_chunk
from afpbench.inference.controls import open_control

make = open_control(snakemake.wildcards.control, alive(snakemake.input.train))
run_chunk(
    dict(zip(snakemake.params.cases, map(Path, snakemake.input.test), strict=True)), Path(snakemake.output[0]), make
)
