from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import policy, run_stage
from afpbench.volumes.preprocessing import prepare_case

stages = [Path(snakemake.input[name][0]) for name in ("imported", "resampled", "registered")]
run_stage(
    snakemake.wildcards.case,
    "prepare",
    Path(snakemake.output[0]),
    stages[-1],
    policy(),
    lambda out: prepare_case(*stages, out),
)
