from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.inference.chunks import calibrations, failures, uncertain
from afpbench.metrics.evaluate import evaluate_row

params, wildcards, given = snakemake.params, snakemake.wildcards, snakemake.input
evaluate_row(
    Path(params.folder),
    wildcards.task,
    wildcards.row,
    params.cases,
    params.structures,
    failed=failures([*given.synthetic, *given.get("real", []), *given.segmentations]),
    calibrations=calibrations(given.synthetic),
    definition=params.definition,
    metrics=params.metrics,
    uncertainty=uncertain(given.synthetic) if params.uncertainty else None,
    seed=params.seed,
    run=wildcards.row + wildcards.seed,
    threads=snakemake.threads,
    real_root=Path(params.real_folder),
    with_ct=bool(given.synthetic),  # rows of label maps alone have no records of images
    out=Path(snakemake.output[0]),
)
