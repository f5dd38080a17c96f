from afpbench.base import log

log.start(snakemake.log[0])
from functools import partial

from afpbench.figures import style
from afpbench.figures.cases import Context, or_words
from afpbench.figures.surfaces import draw_surfaces
from afpbench.metrics.longtable import read_long

params, long = snakemake.params, read_long(snakemake.input.metrics)
context = Context(**params.context)
with style.styled():
    draw = partial(draw_surfaces, context, snakemake.wildcards.pick, params.structures, long)
    style.save(or_words(draw), snakemake.output)
