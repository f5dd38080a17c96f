from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.record import SYNTHRAD2023_ARCHIVE, SYNTHRAD2023_RECORD, fetch_record_file

fetch_record_file(snakemake.params.url or SYNTHRAD2023_RECORD, SYNTHRAD2023_ARCHIVE, Path(snakemake.output[0]))
