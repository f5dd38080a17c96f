from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.inspection import find_duplicates, inspect_source
from afpbench.data.inspection_report import to_text, write_report

params, task = snakemake.params, snakemake.wildcards.task
found = inspect_source(params.data, params.cases, Path.cwd(), snakemake.threads)
inspections = list(log.progress(found, len(params.cases), "case"))
find_duplicates(inspections)
write_report(task, inspections, Path(snakemake.output.page).parent)
print(to_text(task, inspections))
