from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.inference.chunks import run_chunk
from afpbench.segmenters.chunk import Segmentation
from afpbench.study.kinds.registry import SEGMENTERS
from afpbench.study.paths import Images

params, record = snakemake.params, Path(snakemake.output[0])


segmenter = SEGMENTERS.make(params.segmenter)


def load():
    return segmenter.open(Path(params.folder), params.device, snakemake.threads)


inputs = dict(snakemake.input.items())
synthetic = Path(Images.of_record(inputs["synthetic"][0]).folder) if inputs.get("synthetic") else None
real = Path(Images.of_record(inputs["real"][0]).folder) if synthetic else None
given = segmenter.label_files(Path()).get(snakemake.wildcards.get("row", "ct"))
run_chunk(
    dict(zip(params.cases, map(Path, snakemake.input.prepared), strict=True)),
    record,
    Segmentation(load, synthetic, real, params.classes, given),
)
