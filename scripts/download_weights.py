from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.download_weights import download_weights

download_weights(snakemake.params.url, snakemake.params.sha256, Path(snakemake.output[0]))
