from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.segmenters.stand_in import write_weights
from afpbench.study.kinds.segmenters.totalsegmentator import totalsegmentator_classes

classes = totalsegmentator_classes()
values = {name: value for value, name in classes.items()}
write_weights(
    Path(snakemake.input.plans).parent,
    {name: values[name] for name in snakemake.params.groups},
    classes,
    snakemake.params.task,
    Path(snakemake.output[0]),
)
