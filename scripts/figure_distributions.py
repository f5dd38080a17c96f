from afpbench.base import log

log.start(snakemake.log[0])
from afpbench.figures import style
from afpbench.figures.cases import Context
from afpbench.figures.distributions import draw_distributions
from afpbench.metrics.longtable import read_long
from afpbench.metrics.statistics import read_statistics

params, inputs = snakemake.params, snakemake.input
with style.styled():
    figure = draw_distributions(
        Context(**params.context), params.columns, read_long(inputs.metrics), read_statistics(inputs.statistics)
    )
    style.save(figure, snakemake.output)
