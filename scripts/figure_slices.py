from afpbench.base import log

log.start(snakemake.log[0])
from functools import partial

from afpbench.figures import style
from afpbench.figures.cases import Context, or_words
from afpbench.figures.slices import draw_slices
from afpbench.metrics.longtable import read_long

params, long = snakemake.params, read_long(snakemake.input.metrics)
context = Context(**params.context)
with style.styled():
    for plane, *paths in zip(params.planes, snakemake.output.png, snakemake.output.pdf, strict=True):
        draw = partial(draw_slices, context, snakemake.wildcards.pick, plane, params.options, long)
        style.save(or_words(draw), paths)
