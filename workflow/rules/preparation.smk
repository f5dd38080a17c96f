"""Body mask, splits, normalisation statistics, and the generator's training set."""


localrules:
    splits,


rule prepare_case:
    """MR, registered CT and labels on one grid, with the region of evaluation: the body that both show. Of a label map
    alone its grid, and the region."""
    input:
        imported=rules.import_case.output,
        resampled=rules.resample_case.output,
        registered=lambda w: task(w).cases.registered_of(w.case, w.side),
    output:
        directory(T.prepared("{case}", "{side}")),
    log:
        T.log("prepare{side}/{case}"),
    benchmark:
        T.benchmark("prepare{side}/{case}")
    priority: soon(30)
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code("prepare_case"),
    message:
        "{wildcards.task}: preparing {wildcards.case}{wildcards.side}"
    script:
        "../../scripts/prepare_case.py"


rule splits:
    """The seeded split, written down once all of its cases are prepared. Cases that no part uses are left alone.

    So a case that cannot be used stops the run before a training.

    Training waits for this file. A case that changes later does not change it (`ancient`), and retrains nothing.
    """
    input:
        imported=ancient(lambda w: expand(rules.import_case.output, task=w.task, case=task(w).cases.used)),
        prepared=ancient(lambda w: task(w).cases.prepared_of(w.fold, "train", "validation", "test")),
    output:
        F.splits,
    log:
        T.log("{fold}splits"),
    priority: soon(0, "fold")
    conda:
        "../../envs/imaging.yaml"
    params:
        split=lambda w: task(w).cases.splits[w.fold],
    message:
        "{wildcards.task}: {wildcards.fold}splits"
    script:
        "../../scripts/splits.py"


rule normalization:
    """Intensity statistics of the training cases, and of them only."""
    input:
        prepared=lambda w: task(w).cases.prepared_of(w.fold, "train"),
        splits=rules.splits.output,
    output:
        F.normalization,
    log:
        T.log("{fold}normalization"),
    benchmark:
        T.benchmark("{fold}normalization")
    priority: soon(0, "fold")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        options=option("normalization"),
        code=code("normalization"),
    message:
        "{wildcards.task}: {wildcards.fold}normalisation statistics"
    script:
        "../../scripts/normalization.py"


rule mr_range:
    """What the training MRs are like, so that a network that is applied to another MR can say how it differs."""
    input:
        imported=lambda w: task(w).cases.imported_of(w.fold, "train"),
        prepared=lambda w: task(w).cases.prepared_of(w.fold, "train"),
        normalization=rules.normalization.output,
    output:
        F.mr_range,
    log:
        T.log("{fold}mr_range"),
    benchmark:
        T.benchmark("{fold}mr_range")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        code=code("mr_range"),
    message:
        "{wildcards.task}: {wildcards.fold}ranges of the training MRs"
    script:
        "../../scripts/mr_range.py"


rule training_set:
    """nnU-Net's plan for the generator, and the normalised training and validation cases in its storage."""
    input:
        prepared=lambda w: task(w).cases.prepared_of(w.fold, "train", "validation"),
        splits=rules.splits.output,
        normalization=rules.normalization.output,
    output:
        directory(F.training_set("{generator}")),
    log:
        T.log("{fold}training_set/{generator}"),
    benchmark:
        T.benchmark("{fold}training_set/{generator}")
    priority: soon(10, "fold", "generator")
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
        code=code(
            "training_set",
            lambda w: task(w).task.generators[w.generator].code_of(option("generators", w.generator)(w)),
        ),
    message:
        "{wildcards.task}: {wildcards.fold}training set for {wildcards.generator}"
    script:
        "../../scripts/training_set.py"
