from afpbench import log

log.start(snakemake.log[0])
from afpbench import normalization
from afpbench.atomic import write_json
from afpbench.data.failures import alive

write_json(snakemake.output[0], normalization.fit(alive(snakemake.input.prepared).values(), snakemake.params.options))
