from afpbench import log

log.start(snakemake.log[0])
from afpbench.atomic import write_json
from afpbench.splits import make_splits

params = snakemake.params
write_json(snakemake.output[0], make_splits(params.cases, params.counts, params.seed, snakemake.wildcards.task))
