from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.download import download_case

download_case(snakemake.params.data, snakemake.wildcards.case, Path.cwd())
