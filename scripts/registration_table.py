from afpbench import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.registration import write_summary

write_summary([Path(folder) for folder in snakemake.input.registered], Path(snakemake.output[0]))
