"""Metrics of every row, the long table, and the tests."""


rule row_metrics:
    """MAE, SSIM and the like, Dice, NSD and HD95 of one row with one seed, for all test cases."""
    input:
        prepared=lambda w: task(w).cases.prepared_test,
        synthetic=lambda w: task(w).results.synthetic_records(w.row + w.seed),
        segmentations=lambda w: task(w).results.compared_records(w.row + w.seed),
    output:
        T.row_metrics("{row}{seed}"),
    log:
        T.log("metrics/{row}{seed}"),
    benchmark:
        T.benchmark("metrics/{row}{seed}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        folder=T.folder,
        real_folder=T.folder,
        seed=lambda w: task(w).results.seed_of(w.row, w.seed),
        cases=lambda w: task(w).cases.test,
        structures=lambda w: task(w).results.structures,
        definition=lambda w: task(w).option("definition"),
        metrics=lambda w: task(w).results.extra_metrics,
        uncertainty=option("inference", "uncertainty"),
        code=code("row_metrics", lambda w: task(w).results.metrics_code()),
    message:
        "{wildcards.task}: metrics of {wildcards.row}{wildcards.seed}"
    script:
        "../../scripts/row_metrics.py"


rule row_metrics_against:
    """The same by the real CT of another task, of the same cases registered in another way."""
    input:
        prepared=lambda w: PLAN.tasks[w.other].cases.prepared_test,
        synthetic=lambda w: task(w).results.synthetic_records(w.row + w.seed),
        real=lambda w: PLAN.tasks[w.other].results.lasting_records("ct"),
        segmentations=lambda w: task(w).results.lasting_records(w.row + w.seed),
    output:
        T.row_metrics_against("{row}{seed}", "{other}"),
    log:
        T.log("metrics_against/{other}/{row}{seed}"),
    benchmark:
        T.benchmark("metrics_against/{other}/{row}{seed}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        folder=T.folder,
        real_folder=S.task("{other}").folder,
        seed=lambda w: task(w).results.seed_of(w.row, w.seed),
        cases=lambda w: task(w).cases.test,
        structures=lambda w: task(w).results.lasting_structures,
        definition=lambda w: task(w).option("definition"),
        metrics=PLAN.extra_metrics,
        uncertainty=False,
        code=code("row_metrics", lambda w: PLAN.metrics_code),
    message:
        "{wildcards.task}: metrics of {wildcards.row}{wildcards.seed} against {wildcards.other}"
    script:
        "../../scripts/row_metrics.py"


rule metrics:
    """The long table: task, variant, seed, case, segmenter, structure, metric, value, status."""
    input:
        lambda w: task(w).results.row_metrics,
    output:
        T.metrics,
    log:
        T.log("metrics"),
    benchmark:
        T.benchmark("metrics")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=code("metrics"),
    message:
        "{wildcards.task}: long table"
    script:
        "../../scripts/metrics.py"


rule segmenter_accuracy:
    """The segmenters against the true labels of the held-out real CT: can they be trusted at all?"""
    input:
        prepared=lambda w: task(w).cases.prepared_test,
        segmentations=lambda w: task(w).results.segmentation_records(task(w).task.segmenters, ["ct"]),
    output:
        T.accuracy,
    log:
        T.log("segmenter_accuracy"),
    benchmark:
        T.benchmark("segmenter_accuracy")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        folder=T.folder,
        cases=lambda w: task(w).cases.test,
        structures=lambda w: task(w).results.structures,
        truth=lambda w: task(w).results.truth,
        code=code("segmenter_accuracy"),
    message:
        "{wildcards.task}: segmenters against the true labels"
    script:
        "../../scripts/segmenter_accuracy.py"


rule statistics:
    """Every row against the reference row."""
    input:
        rules.metrics.output,
    output:
        T.statistics,
    log:
        T.log("statistics"),
    benchmark:
        T.benchmark("statistics")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        options=option("statistics"),
        reference=option("reference"),
        controls=option("controls"),
        seed=SEED,
        shown=lambda w: task(w).results.compared_metrics,
        code=code("compare_rows"),
    message:
        "{wildcards.task}: Wilcoxon signed-rank tests"
    script:
        "../../scripts/compare_rows.py"
