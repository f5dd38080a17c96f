from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import policy, run_stage
from afpbench.registration.case import register_case

imported, resampled = Path(snakemake.input.imported[0]), Path(snakemake.input.resampled[0])
run_stage(
    snakemake.wildcards.case,
    "register",
    Path(snakemake.output[0]),
    resampled,
    policy(),
    lambda out: register_case(imported, resampled, out, snakemake.params.options, snakemake.params.threshold_hu),
)
