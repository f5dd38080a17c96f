from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.archive import unpack_case
from afpbench.study.kinds.sources import open_source

source, case = open_source({"source": "synthrad2023", "region": "pelvis"}, Path.cwd()), snakemake.wildcards.case
unpack_case(Path(snakemake.input[0]), source.members(case), case, Path(snakemake.output[0]))
