"""Metrics of every row, the long table, and the tests."""

from afpbench.study.metrics import extra_metrics
from afpbench.study.task import Task


rule row_metrics:
    """MAE, SSIM and the like, Dice, NSD and HD95 of one row, for all test cases."""
    input:
        prepared=prepared_test,
        synthetic=records(f"{RESULTS}/{{task}}/synthetic/{{row}}/records/{{chunk}}.json"),
        segmentations=segmentation_records,
    output:
        f"{R}/metrics/rows/{{row}}.csv",
    log:
        f"{LOGS}/metrics/{{row}}.log",
    benchmark:
        f"{BENCHMARKS}/metrics/{{row}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        cases=lambda wildcards: TEST[wildcards.task],
        structures=structures,
        metrics=lambda wildcards: extra_metrics(Task(wildcards.task, TASKS[wildcards.task], ROOT)),
        code=code_digest("metrics", "volumes.io"),
    message:
        "{wildcards.task}: metrics of {wildcards.row}"
    script:
        "../../scripts/row_metrics.py"


rule metrics:
    """The long table: task, variant, case, segmenter, structure, metric, value, status."""
    input:
        lambda wildcards: expand(rules.row_metrics.output, task=wildcards.task, row=rows(wildcards.task)),
    output:
        f"{R}/metrics/metrics.csv",
    log:
        f"{LOGS}/metrics.log",
    benchmark:
        f"{BENCHMARKS}/metrics.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    message:
        "{wildcards.task}: long table"
    script:
        "../../scripts/metrics.py"


rule segmenter_accuracy:
    """The segmenters against the true labels of the held-out real CT: can they be trusted at all?"""
    input:
        prepared=prepared_test,
        segmentations=lambda wildcards: [
            f"{RESULTS}/{wildcards.task}/segmentations/{segmenter}/ct/records/{i}.json"
            for segmenter in TASKS[wildcards.task]["segmenters"]
            for i in range(len(chunks(wildcards.task)))
        ],
    output:
        f"{R}/segmenters/accuracy.csv",
    log:
        f"{LOGS}/segmenter_accuracy.log",
    benchmark:
        f"{BENCHMARKS}/segmenter_accuracy.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        cases=lambda wildcards: TEST[wildcards.task],
        structures=structures,
        truth=lambda wildcards: structure_truth(wildcards.task),
        code=code_digest("metrics", "volumes.io"),
    message:
        "{wildcards.task}: segmenters against the true labels"
    script:
        "../../scripts/segmenter_accuracy.py"


rule statistics:
    """Every row against the reference row."""
    input:
        rules.metrics.output,
    output:
        f"{R}/statistics/statistics.csv",
    log:
        f"{LOGS}/statistics.log",
    benchmark:
        f"{BENCHMARKS}/statistics.tsv"
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
        code=code_digest("metrics.statistics", "study.kinds.metrics"),
    message:
        "{wildcards.task}: Wilcoxon signed-rank tests"
    script:
        "../../scripts/compare_rows.py"
