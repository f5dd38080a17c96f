from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.inference.chunks import run_chunk
from afpbench.inference.files import open_files

make = open_files(snakemake.params.row, Path())
prepared = dict(zip(snakemake.params.cases, map(Path, snakemake.input.prepared), strict=True))
run_chunk(prepared, Path(snakemake.output[0]), make)
