from afpbench import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import alive
from afpbench.registration import summarize

folders = alive(snakemake.input.registered).values()
summarize([folder / "registration.json" for folder in folders], Path(snakemake.output[0]))
