from afpbench.base import log

# The guard is for worker processes of nnU-Net, which import this file.
if __name__ == "__main__":
    log.start(snakemake.log[0])
    from pathlib import Path

    from afpbench.base.hardware import Runtime
    from afpbench.data.failures import alive, alive_splits
    from afpbench.inference.chunks import failures
    from afpbench.segmenters.training import train_segmenter
    from afpbench.study.paths import Images
    from afpbench.study.records import read_record

    params, cases, records = snakemake.params, alive(snakemake.input.prepared), snakemake.input.teacher
    failed = failures(records)
    cases = {case: folder for case, folder in cases.items() if case not in failed}
    train_segmenter(
        f"{snakemake.wildcards.task}/{snakemake.wildcards.segmenter}",
        cases,
        alive_splits(read_record(snakemake.input.splits[0]), cases),
        params.groups,
        params.segmenter,
        params.spacing_mm,
        Path(params.work),
        Path(snakemake.output.plans).parent,
        Runtime(params.device, params.precision, snakemake.threads, params.seed),
        labels={case: Path(Images.of_record(records[0]).image(case)) for case in cases} if records else None,
    )
