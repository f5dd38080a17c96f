"""Synthetic CT of the test cases by every variant and control, and the segmentations of real and synthetic CT."""


rule calibrate_variant:
    """The line from a variant's synthetic HU to the real ones, on the validation cases."""
    input:
        prepared=prepared("validation"),
        checkpoint=rules.train_variant.output.checkpoint,
        plans=rules.train_variant.output.plans,
        dataset=rules.train_variant.output.dataset,
    output:
        f"{F}models/variants/{{variant}}/calibration.json",
    log:
        f"{LOGS}/{{fold}}calibrate/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/{{fold}}calibrate/{{variant}}.tsv"
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=240,
        gpu=1,
    params:
        options=option("inference"),
        device=RUNTIME["device"],
        precision=lambda wildcards: precision(TASKS[wildcards.task]["variants"][wildcards.variant]["training"]),
        code=code_digest(
            "inference.calibration",
            "inference.fusion",
            "inference.synthesis",
            "inference.volume",
            "base.line_fit",
            "volumes.normalization",
            "volumes.io",
        ),
    message:
        "{wildcards.task}: HU calibration of {wildcards.fold}{wildcards.variant}"
    script:
        "../../scripts/calibrate_variant.py"


rule synthesize:
    """Patches, median fusion, de-normalisation: synthetic CT in HU on each case's grid, for a chunk of cases."""
    input:
        prepared=chunk_prepared,
        checkpoint=of_chunk_fold(rules.train_variant.output.checkpoint),
        plans=of_chunk_fold(rules.train_variant.output.plans),
        dataset=of_chunk_fold(rules.train_variant.output.dataset),
        calibration=calibration,
    output:
        f"{R}/synthetic/{{variant}}/records/{{chunk}}.json",
    log:
        f"{LOGS}/synthesize/{{variant}}.{{chunk}}.log",
    benchmark:
        f"{BENCHMARKS}/synthesize/{{variant}}.{{chunk}}.tsv"
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=240,
        gpu=1,
    params:
        cases=chunk_cases,
        options=option("inference"),
        device=RUNTIME["device"],
        precision=lambda wildcards: precision(TASKS[wildcards.task]["variants"][wildcards.variant]["training"]),
        code=code_digest(
            "inference.fusion", "inference.synthesis", "inference.volume", "volumes.normalization", "volumes.io"
        ),
        generator_code=generator_code,
    message:
        "{wildcards.task}: synthetic CT by {wildcards.variant}, chunk {wildcards.chunk}"
    script:
        "../../scripts/synthesize.py"


rule control:
    """The rows that no network made."""
    input:
        test=chunk_prepared,
        train=chunk_training,
        normalization=of_chunk_fold(rules.normalization.output),
    output:
        f"{R}/synthetic/{{control}}/records/{{chunk}}.json",
    log:
        f"{LOGS}/control/{{control}}.{{chunk}}.log",
    benchmark:
        f"{BENCHMARKS}/control/{{control}}.{{chunk}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        cases=chunk_cases,
        code=code_digest("inference.controls", "base.line_fit", "volumes.normalization", "volumes.io"),
    message:
        "{wildcards.task}: control {wildcards.control}, chunk {wildcards.chunk}"
    script:
        "../../scripts/control.py"


rule segment_real:
    """The silver standard: the real CT of the test cases, once per segmenter."""
    input:
        prepared=chunk_prepared,
        weights=chunk_segmenter_input,
    output:
        f"{R}/segmentations/{{segmenter}}/ct/records/{{chunk}}.json",
    log:
        f"{LOGS}/segment/{{segmenter}}.ct.{{chunk}}.log",
    benchmark:
        f"{BENCHMARKS}/segment/{{segmenter}}.ct.{{chunk}}.tsv"
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=480,
        gpu=1,
    params:
        cases=chunk_cases,
        segmenter=option("segmenters", "{segmenter}"),
        classes=known_classes,
        folder=chunk_segmenter_model,
        device=RUNTIME["device"],
        code=code_digest("segmenters.prediction", "segmenters.naviairway", "features.naviairway", "volumes.io"),
    message:
        "{wildcards.task}: {wildcards.segmenter} on the real CT, chunk {wildcards.chunk}"
    script:
        "../../scripts/segment.py"


rule segment:
    """The synthetic CT of one row by one segmenter; an image equal to the real CT takes its segmentation over."""
    input:
        synthetic=f"{R}/synthetic/{{row}}/records/{{chunk}}.json",
        prepared=chunk_prepared,
        real=rules.segment_real.output,
        weights=chunk_segmenter_input,
    output:
        f"{R}/segmentations/{{segmenter}}/{{row}}/records/{{chunk}}.json",
    log:
        f"{LOGS}/segment/{{segmenter}}.{{row}}.{{chunk}}.log",
    benchmark:
        f"{BENCHMARKS}/segment/{{segmenter}}.{{row}}.{{chunk}}.tsv"
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=480,
        gpu=1,
    params:
        cases=chunk_cases,
        segmenter=option("segmenters", "{segmenter}"),
        classes=known_classes,
        folder=chunk_segmenter_model,
        device=RUNTIME["device"],
        code=code_digest("segmenters.prediction", "segmenters.naviairway", "features.naviairway", "volumes.io"),
    message:
        "{wildcards.task}: {wildcards.segmenter} on {wildcards.row}, chunk {wildcards.chunk}"
    script:
        "../../scripts/segment.py"


ruleorder: segment_real > segment
ruleorder: control > synthesize
