from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import policy, run_stage
from afpbench.data.importing import import_case

case = snakemake.wildcards.case
run_stage(
    case,
    "import",
    Path(snakemake.output[0]),
    None,
    policy(),
    lambda out: import_case(snakemake.params.data, case, snakemake.params.seed, out, Path.cwd()),
)
