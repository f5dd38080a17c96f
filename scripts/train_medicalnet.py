from afpbench.base import log

# The guard is for worker processes of nnU-Net, which import this file.
if __name__ == "__main__":
    log.start(snakemake.log[0])
    from pathlib import Path

    from afpbench.base.hardware import Runtime
    from afpbench.data.failures import alive, alive_splits
    from afpbench.study.records import read_record
    from afpbench.training.medicalnet import train_stand_in

    params, cases = snakemake.params, alive(snakemake.input.prepared)
    train_stand_in(
        f"{snakemake.wildcards.task}/{snakemake.wildcards.network}",
        cases,
        alive_splits(read_record(snakemake.input.splits[0]), cases),
        params.network,
        params.spacing_mm,
        Path(params.work),
        Path(snakemake.output.weights),
        Runtime(params.device, params.precision, snakemake.threads, params.seed),
    )
