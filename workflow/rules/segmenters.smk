"""Frozen segmenters: trained from labels or from another's output, or stand-in weights in TotalSegmentator's format."""


rule teacher_labels:
    """What a teacher finds in the real CT of the training and validation cases."""
    input:
        prepared=taught_prepared,
        weights=lambda wildcards: segmenter_input(wildcards.task, wildcards.fold, wildcards.segmenter),
    output:
        f"{F}teacher_labels/{{segmenter}}/records/{{chunk}}.json",
    log:
        f"{LOGS}/{{fold}}teacher_labels/{{segmenter}}.{{chunk}}.log",
    benchmark:
        f"{BENCHMARKS}/{{fold}}teacher_labels/{{segmenter}}.{{chunk}}.tsv"
    priority: 20
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=480,
        gpu=1,
    params:
        cases=taught_cases,
        segmenter=option("segmenters", "{segmenter}"),
        folder=lambda wildcards: segmenter_model(wildcards.task, wildcards.fold, wildcards.segmenter),
        device=RUNTIME["device"],
        code=code_digest("segmenters.prediction", "segmenters.naviairway", "features.naviairway", "volumes.io"),
    message:
        "{wildcards.task}: {wildcards.fold}{wildcards.segmenter} labels the training cases, chunk {wildcards.chunk}"
    script:
        "../../scripts/segment.py"


rule train_segmenter:
    """Train a segmenter through nnU-Net on the real CT of the training cases, with their labels or a teacher's."""
    input:
        prepared=prepared("train", "validation"),
        splits=rules.splits.output,
        teacher=teacher_records,
    output:
        plans=f"{F}models/segmenters/{{segmenter}}/plans.json",
        dataset=f"{F}models/segmenters/{{segmenter}}/dataset.json",
        checkpoint=f"{F}models/segmenters/{{segmenter}}/fold_0/checkpoint_final.pth",
        curves=f"{F}models/segmenters/{{segmenter}}/curves.csv",
        cost=f"{F}models/segmenters/{{segmenter}}/cost.json",
    log:
        f"{LOGS}/{{fold}}train_segmenter/{{segmenter}}.log",
    benchmark:
        f"{BENCHMARKS}/{{fold}}train_segmenter/{{segmenter}}.tsv"
    priority: 20
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=2880,
        gpu=option("segmenters", "{segmenter}", "training", "gpus"),
    params:
        segmenter=option("segmenters", "{segmenter}"),
        groups=segmenter_groups,
        spacing_mm=option("spacing_mm"),
        work=f"{F}unfinished/segmenters/{{segmenter}}",
        device=RUNTIME["device"],
        precision=lambda wildcards: precision(TASKS[wildcards.task]["segmenters"][wildcards.segmenter]["training"]),
        seed=SEED,
        code=code_digest("training", "segmenters.training"),
    message:
        "{wildcards.task}: {wildcards.fold}training segmenter {wildcards.segmenter}"
    script:
        "../../scripts/train_segmenter.py"


rule stand_in_weights:
    """Lay a trained segmenter out as TotalSegmentator's own weights."""
    input:
        checkpoint=rules.train_segmenter.output.checkpoint,
        plans=rules.train_segmenter.output.plans,
        dataset=rules.train_segmenter.output.dataset,
    output:
        directory(f"{F}models/totalsegmentator/{{segmenter}}"),
    log:
        f"{LOGS}/{{fold}}stand_in_weights/{{segmenter}}.log",
    benchmark:
        f"{BENCHMARKS}/{{fold}}stand_in_weights/{{segmenter}}.tsv"
    conda:
        "../../envs/nnunet.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        groups=segmenter_groups,
        task=option("segmenters", "{segmenter}", "task"),
        code=code_digest("segmenters.stand_in"),
    message:
        "{wildcards.task}: {wildcards.fold}TotalSegmentator stand-in weights {wildcards.segmenter}"
    script:
        "../../scripts/stand_in_weights.py"
