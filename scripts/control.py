from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.inference.chunks import run_chunk
from afpbench.inference.controls import open_control
from afpbench.study.records import read_record

inputs = snakemake.input
fitted = Path(inputs.fitted[0]) if inputs.fitted else None
statistics = read_record(inputs.normalization[0]) if inputs.normalization else {}
make = open_control(snakemake.wildcards.control, fitted, statistics)
run_chunk(dict(zip(snakemake.params.cases, map(Path, inputs.test), strict=True)), Path(snakemake.output[0]), make)
