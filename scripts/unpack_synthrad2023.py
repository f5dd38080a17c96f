from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.data.archive import unpack_synthrad_case

data, case = {"source": "synthrad2023", "region": "pelvis"}, snakemake.wildcards.case
unpack_synthrad_case(Path(snakemake.input[0]), data, case, Path(snakemake.output[0]))
