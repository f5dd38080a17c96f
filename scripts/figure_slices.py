from afpbench import log

log.start(snakemake.log[0])
from afpbench.figures import style
from afpbench.figures.cases import Context
from afpbench.figures.slices import draw_slices
from afpbench.metrics.longtable import read_long

params, long = snakemake.params, read_long(snakemake.input.metrics)
context = Context(**params.context)
with style.styled():
    for plane, *paths in zip(params.planes, snakemake.output.png, snakemake.output.pdf, strict=True):
        style.save(draw_slices(context, snakemake.wildcards.pick, plane, params.options, long), paths)
