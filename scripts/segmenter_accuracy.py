from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.metrics.accuracy import write_accuracy

params, out = snakemake.params, Path(snakemake.output[0])
write_accuracy(Path(params.folder), snakemake.wildcards.task, params.cases, params.structures, params.truth, out)
