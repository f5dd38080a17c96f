from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.base.atomic import read_json
from afpbench.data.failures import alive
from afpbench.inference.chunks import run_chunk
from afpbench.inference.controls import open_control

statistics = read_json(snakemake.input.normalization)
make = open_control(snakemake.wildcards.control, alive(snakemake.input.train), statistics)
run_chunk(
    dict(zip(snakemake.params.cases, map(Path, snakemake.input.test), strict=True)), Path(snakemake.output[0]), make
)
