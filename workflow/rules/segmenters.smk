"""Frozen segmenters: trained from labels or from another's output, or stand-in weights in TotalSegmentator's format."""


rule teacher_labels:
    """What a teacher finds in the real CT of the training and validation cases."""
    input:
        prepared=lambda w: task(w).cases.taught(w.fold)[int(w.chunk)].prepared,
        weights=lambda w: task(w).models.segmenter_inputs(w.fold, w.segmenter),
    output:
        F.teacher_labels("{segmenter}").record("{chunk}"),
    log:
        T.log("{fold}teacher_labels/{segmenter}.{chunk}"),
    benchmark:
        T.benchmark("{fold}teacher_labels/{segmenter}.{chunk}")
    priority: 20
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=480,
        gpu=1,
    params:
        cases=lambda w: task(w).cases.taught(w.fold)[int(w.chunk)].cases,
        segmenter=option("segmenters", "{segmenter}"),
        folder=lambda w: task(w).models.segmenter_model(w.fold, w.segmenter),
        device=RUNTIME["device"],
        code=code("segment", lambda w: task(w).task.segmenters[w.segmenter].code()),
    message:
        "{wildcards.task}: {wildcards.fold}{wildcards.segmenter} labels the training cases, chunk {wildcards.chunk}"
    script:
        "../../scripts/segment.py"


rule train_segmenter:
    """Train a segmenter through nnU-Net on the real CT of the training cases, with their labels or a teacher's."""
    input:
        prepared=lambda w: task(w).cases.prepared_of(w.fold, "train", "validation"),
        splits=rules.splits.output,
        teacher=lambda w: task(w).models.teacher_records(w.fold, w.segmenter),
    output:
        plans=F.segmenter("{segmenter}").plans,
        dataset=F.segmenter("{segmenter}").dataset,
        checkpoint=F.segmenter("{segmenter}").checkpoint,
        curves=F.segmenter("{segmenter}").curves,
        cost=F.segmenter("{segmenter}").cost,
    log:
        T.log("{fold}train_segmenter/{segmenter}"),
    benchmark:
        T.benchmark("{fold}train_segmenter/{segmenter}")
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
        groups=lambda w: task(w).task.segmenters[w.segmenter].label_groups(),
        spacing_mm=option("spacing_mm"),
        work=F.unfinished("segmenters", "{segmenter}"),
        device=RUNTIME["device"],
        precision=lambda w: task(w).precision("segmenters", w.segmenter),
        seed=SEED,
        code=code("train_segmenter", lambda w: ["afpbench.training.trainers.nnUNetTrainerStudy"]),
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
        directory(F.totalsegmentator("{segmenter}")),
    log:
        T.log("{fold}stand_in_weights/{segmenter}"),
    benchmark:
        T.benchmark("{fold}stand_in_weights/{segmenter}")
    conda:
        "../../envs/nnunet.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        groups=lambda w: task(w).task.segmenters[w.segmenter].label_groups(),
        task=option("segmenters", "{segmenter}", "task"),
        code=code("stand_in_weights"),
    message:
        "{wildcards.task}: {wildcards.fold}TotalSegmentator stand-in weights {wildcards.segmenter}"
    script:
        "../../scripts/stand_in_weights.py"
