from afpbench.base import log

log.start(snakemake.log[0])
from functools import partial

from afpbench.base.atomic import write_json
from afpbench.figures import style
from afpbench.figures.cases import Context, or_else, or_words
from afpbench.figures.panel import no_panel, slice_panel
from afpbench.figures.slices import draw_slices
from afpbench.metrics.longtable import read_long

params, long = snakemake.params, read_long(snakemake.input.metrics)
context, pick = Context(**params.context), snakemake.wildcards.pick
with style.styled():
    for plane, *paths in zip(params.planes, snakemake.output.png, snakemake.output.pdf, strict=True):
        style.save(or_words(partial(draw_slices, context, pick, plane, params.options, long)), paths)
panel = or_else(partial(slice_panel, context, pick, params.options, long), no_panel)
write_json(snakemake.output.panel, panel)
