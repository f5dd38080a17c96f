from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.inference.chunks import run_chunk
from afpbench.segmenters.chunk import Segmentation
from afpbench.study.kinds.registry import SEGMENTERS

params, record = snakemake.params, Path(snakemake.output[0])


def load():
    return SEGMENTERS.make(params.segmenter).open(Path(params.folder), params.device, snakemake.threads)


synthetic = Path(snakemake.input.synthetic).parents[1] if "synthetic" in dict(snakemake.input.items()) else None
real = Path(snakemake.input.real[0]).parents[1] if synthetic else None
run_chunk(
    dict(zip(params.cases, map(Path, snakemake.input.prepared), strict=True)),
    record,
    Segmentation(load, synthetic, real, params.classes),
)
