from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import policy, run_stage
from afpbench.volumes.label_cases import prepare_label_map
from afpbench.volumes.preprocessing import prepare_case

stages = [Path(snakemake.input[name][0]) for name in ("imported", "resampled", "registered") if snakemake.input[name]]
prepare = prepare_case if snakemake.input.registered else prepare_label_map
run_stage(
    snakemake.wildcards.case,
    "prepare",
    Path(snakemake.output[0]),
    stages[-1],
    policy(),
    lambda out: prepare(*stages, out),
)
