from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.failures import RECORD
from afpbench.registration.page import write_page
from afpbench.registration.table import summarize

folders = [Path(folder) for folder in snakemake.input.registered]
records = [folder / RECORD if (folder / RECORD).exists() else folder / "registration.json" for folder in folders]
summarize(records, Path(snakemake.output.csv))
write_page(snakemake.wildcards.task, folders, Path(snakemake.output.page))
