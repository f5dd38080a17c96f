from afpbench.base import log

log.start(snakemake.log[0])
from afpbench.metrics.longtable import read_long
from afpbench.metrics.statistics import compare, write_statistics

params = snakemake.params
result = compare(
    read_long(snakemake.input[0]),
    params.reference,
    params.options["alpha"],
    params.seed,
    params.controls,
    params.options["bootstrap_samples"],
    params.options["missing"],
)
write_statistics(result, snakemake.output[0])
