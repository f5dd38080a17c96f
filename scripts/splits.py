from afpbench.base import log

log.start(snakemake.log[0])
from afpbench.base.atomic import write_json

write_json(snakemake.output[0], snakemake.params.split)
