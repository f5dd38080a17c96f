from afpbench.base import log

log.start(snakemake.log[0])
from functools import partial

from afpbench.figures import style
from afpbench.figures.cases import Context, or_words
from afpbench.figures.uncertainty import draw_uncertainty
from afpbench.metrics.longtable import read_long

params, long = snakemake.params, read_long(snakemake.input.metrics)
context, options = Context(**params.context), {**params.options, "definition": params.definition}
with style.styled():
    draw = partial(draw_uncertainty, context, snakemake.wildcards.pick, options, long)
    style.save(or_words(draw), snakemake.output)
