from afpbench.base import log

log.start(snakemake.log[0])
from afpbench.figures import style
from afpbench.figures.curves import draw_curves

labels = snakemake.params.labels
with style.styled():
    models = [{"label": label, "path": path} for label, path in zip(labels, snakemake.input, strict=True)]
    style.save(draw_curves(models, snakemake.params.structures), snakemake.output)
