from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import policy, run_stage
from afpbench.volumes.preprocessing import resample_case

imported = Path(snakemake.input.imported[0])
run_stage(
    snakemake.wildcards.case,
    "resample",
    Path(snakemake.output[0]),
    imported,
    policy(),
    lambda out: resample_case(imported, out, snakemake.params.spacing_mm, snakemake.params.bias_correction),
)
