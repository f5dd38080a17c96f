from afpbench.base import log

log.start(snakemake.log[0])
from afpbench.base.atomic import write_json
from afpbench.data.failures import alive
from afpbench.volumes import normalization

write_json(snakemake.output[0], normalization.fit(alive(snakemake.input.prepared).values(), snakemake.params.options))
