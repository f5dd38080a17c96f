from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import alive
from afpbench.inference.controls import fit_control
from afpbench.study.records import read_record

statistics = read_record(snakemake.input.normalization[0])
fit_control(snakemake.wildcards.control, alive(snakemake.input.train), statistics, Path(snakemake.output[0]))
