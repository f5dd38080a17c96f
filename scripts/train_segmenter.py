from afpbench import log

# The guard is for worker processes of nnU-Net, which import this file.
if __name__ == "__main__":
    log.start(snakemake.log[0])
    from pathlib import Path

    from afpbench.atomic import read_json
    from afpbench.data.failures import alive, alive_splits
    from afpbench.segmenters.training import train_segmenter

    params, cases = snakemake.params, alive(snakemake.input.prepared)
    train_segmenter(
        f"{snakemake.wildcards.task}/{snakemake.wildcards.segmenter}",
        cases,
        alive_splits(read_json(snakemake.input.splits[0]), cases),
        params.groups,
        params.segmenter,
        params.spacing_mm,
        Path(params.work),
        Path(snakemake.output.plans).parent,
        device=params.device,
        precision=params.precision,
        threads=snakemake.threads,
        seed=params.seed,
    )
