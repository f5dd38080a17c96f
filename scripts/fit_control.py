from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.base.atomic import read_json
from afpbench.data.failures import alive
from afpbench.inference.controls import fit_control

statistics = read_json(snakemake.input.normalization[0])
fit_control(snakemake.wildcards.control, alive(snakemake.input.train), statistics, Path(snakemake.output[0]))
