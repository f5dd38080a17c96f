from afpbench import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.atomic import write_json
from afpbench.data.failures import failure_of

folders = [Path(folder) for folder in snakemake.input.imported]
failed = {folder.parent.name: record["error"] for folder in folders if (record := failure_of(folder))}
write_json(snakemake.output[0], {"cases": [folder.parent.name for folder in folders], "failed": failed})
