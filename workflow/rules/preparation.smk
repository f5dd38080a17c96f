"""Body mask, splits, normalisation statistics, and the generator's training set."""


localrules:
    splits,


rule prepare_case:
    """MR, registered CT and labels on one grid, with the region of evaluation: the body that both show."""
    input:
        imported=rules.import_case.output,
        resampled=rules.resample_case.output,
        registered=rules.register_case.output,
    output:
        directory(f"{R}/cases/{{case}}/prepared"),
    log:
        f"{LOGS}/prepare/{{case}}.log",
    benchmark:
        f"{BENCHMARKS}/prepare/{{case}}.tsv"
    priority: 30
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code_digest("volumes.io", "volumes.preprocessing"),
    message:
        "{wildcards.task}: preparing {wildcards.case}"
    script:
        "../../scripts/prepare_case.py"


rule splits:
    """The seeded split, written down once all of its cases are prepared. Cases that no part uses are left alone.

    So a case that cannot be used stops the run before a training.

    Training waits for this file. A case that changes later does not change it (`ancient`), and retrains nothing.
    """
    input:
        imported=ancient(
            lambda wildcards: expand(rules.import_case.output, task=wildcards.task, case=CASES[wildcards.task])
        ),
        prepared=ancient(prepared("train", "validation", "test")),
    output:
        f"{F}splits/splits.json",
    log:
        f"{LOGS}/{{fold}}splits.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        split=lambda wildcards: SPLITS[wildcards.task][wildcards.fold],
    message:
        "{wildcards.task}: {wildcards.fold}splits"
    script:
        "../../scripts/splits.py"


rule normalization:
    """Intensity statistics of the training cases, and of them only."""
    input:
        prepared=prepared("train"),
        splits=rules.splits.output,
    output:
        f"{F}normalization/normalization.json",
    log:
        f"{LOGS}/{{fold}}normalization.log",
    benchmark:
        f"{BENCHMARKS}/{{fold}}normalization.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        options=option("normalization"),
        code=code_digest("volumes.io", "volumes.normalization"),
    message:
        "{wildcards.task}: {wildcards.fold}normalisation statistics"
    script:
        "../../scripts/normalization.py"


rule training_set:
    """nnU-Net's plan for the generator, and the normalised training and validation cases in its storage."""
    input:
        prepared=prepared("train", "validation"),
        splits=rules.splits.output,
        normalization=rules.normalization.output,
    output:
        directory(f"{F}training_sets/{{generator}}"),
    log:
        f"{LOGS}/{{fold}}training_set/{{generator}}.log",
    benchmark:
        f"{BENCHMARKS}/{{fold}}training_set/{{generator}}.tsv"
    priority: 10
    conda:
        "../../envs/nnunet.yaml"
    threads: 1
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        generator=option("generators", "{generator}"),
        spacing_mm=option("spacing_mm"),
        seed=SEED,
        code=code_digest(
            "volumes.io",
            "volumes.normalization",
            "generators.architecture",
            "nnunet.planning",
            "training.training_set",
        ),
    message:
        "{wildcards.task}: {wildcards.fold}training set for {wildcards.generator}"
    script:
        "../../scripts/training_set.py"
