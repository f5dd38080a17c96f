from afpbench.base import log

log.start(snakemake.log[0])
from afpbench.metrics.longtable import merge, write_long

write_long(merge(snakemake.input), snakemake.output[0])
