from afpbench.base import log

# The guard is for worker processes of nnU-Net, which import this file.
if __name__ == "__main__":
    log.start(snakemake.log[0])
    from pathlib import Path

    from afpbench.base.hardware import Runtime
    from afpbench.training.variant import train_variant

    params = snakemake.params
    train_variant(
        f"{snakemake.wildcards.task}/{snakemake.wildcards.variant}",
        Path(snakemake.input.training_set),
        Path(snakemake.input.normalization[0]),
        params.variant,
        params.networks,
        Path(snakemake.input.start[0]) if snakemake.input.start else None,
        Path(params.work),
        Path(snakemake.output.plans).parent,
        Runtime(params.device, params.precision, snakemake.threads, params.seed),
        label_values=params.label_values,
    )
