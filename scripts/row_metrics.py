from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.inference.chunks import calibrations, failures, uncertain
from afpbench.metrics.evaluate import evaluate_row

params, wildcards, out = snakemake.params, snakemake.wildcards, Path(snakemake.output[0])
evaluate_row(
    Path(params.folder),
    wildcards.task,
    wildcards.row,
    params.cases,
    params.structures,
    failed=failures([*snakemake.input.synthetic, *snakemake.input.segmentations]),
    calibrations=calibrations(snakemake.input.synthetic),
    definition=params.definition,
    metrics=params.metrics,
    uncertainty=uncertain(snakemake.input.synthetic) if params.uncertainty else None,
    seed=params.seed,
    run=wildcards.row + wildcards.seed,
    threads=snakemake.threads,
    out=out,
)
