from afpbench.base import log

# The guard is for worker processes of nnU-Net, which import this file.
if __name__ == "__main__":
    log.start(snakemake.log[0])
    from pathlib import Path

    from afpbench.data.failures import alive, alive_splits
    from afpbench.study.records import read_record
    from afpbench.training.training_set import build

    cases = alive(snakemake.input.prepared)
    build(
        cases,
        alive_splits(read_record(snakemake.input.splits[0]), cases),
        read_record(snakemake.input.normalization[0]),
        snakemake.params.generator,
        snakemake.params.spacing_mm,
        Path(snakemake.output[0]),
        snakemake.params.seed,
    )
