"""Synthetic CT of the test cases by every variant, control and row from files, and the segmentations of real and synthetic CT."""


rule calibrate_variant:
    """The line from a variant's synthetic HU to the real ones, on the validation cases."""
    input:
        prepared=lambda w: task(w).cases.prepared_of(w.fold, "validation"),
        checkpoint=rules.train_variant.output.checkpoint,
        plans=rules.train_variant.output.plans,
        dataset=rules.train_variant.output.dataset,
    output:
        F.variant(RUN).calibration,
    log:
        T.log(f"{{fold}}calibrate/{RUN}"),
    benchmark:
        T.benchmark(f"{{fold}}calibrate/{RUN}")
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=240,
        gpu=1,
    params:
        options=lambda w: task(w).models.application,
        device=RUNTIME["device"],
        precision=lambda w: task(w).precision("variants", w.variant),
        code=code("calibrate_variant", lambda w: task(w).models.generator_code(w.variant)),
    message:
        "{wildcards.task}: HU calibration of {wildcards.fold}{wildcards.variant}{wildcards.seed}"
    script:
        "../../scripts/calibrate_variant.py"


rule model_card:
    """What a trained variant is, so that `afpbench predict` can apply it to an MR without the study."""
    input:
        checkpoint=rules.train_variant.output.checkpoint,
        plans=rules.train_variant.output.plans,
        dataset=rules.train_variant.output.dataset,
        mr_range=rules.mr_range.output,
        calibration=lambda w: task(w).models.calibration(w.fold, w.seed, w.variant),
    output:
        F.variant(RUN).card,
    log:
        T.log(f"{{fold}}model_card/{RUN}"),
    benchmark:
        T.benchmark(f"{{fold}}model_card/{RUN}")
    conda:
        "../../envs/nnunet.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        about=lambda w: task(w).models.card(w.fold, w.seed, w.variant),
        precision=lambda w: task(w).precision("variants", w.variant),
        code=code("model_card"),
    message:
        "{wildcards.task}: model card of {wildcards.fold}{wildcards.variant}{wildcards.seed}"
    script:
        "../../scripts/model_card.py"


rule synthesize:
    """Patches, median fusion, de-normalisation: synthetic CT in HU on each case's grid, for a chunk of cases, by the
    network of their fold, or by those of all folds together."""
    input:
        prepared=lambda w: task(w).cases.chunk(w.chunk).prepared,
        checkpoint=of_networks(rules.train_variant.output.checkpoint),
        plans=of_networks(rules.train_variant.output.plans),
        dataset=of_networks(rules.train_variant.output.dataset),
        calibration=lambda w: task(w).models.calibrations(task(w).cases.chunk(w.chunk).networks, w.seed, w.variant),
    output:
        T.synthetic(RUN).record("{chunk}"),
    log:
        T.log(f"synthesize/{RUN}.{{chunk}}"),
    benchmark:
        T.benchmark(f"synthesize/{RUN}.{{chunk}}")
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=240,
        gpu=1,
    params:
        cases=lambda w: task(w).cases.chunk(w.chunk).cases,
        options=option("inference"),
        device=RUNTIME["device"],
        precision=lambda w: task(w).precision("variants", w.variant),
        code=code("synthesize", lambda w: task(w).models.generator_code(w.variant)),
    message:
        "{wildcards.task}: synthetic CT by {wildcards.variant}{wildcards.seed}, chunk {wildcards.chunk}"
    script:
        "../../scripts/synthesize.py"


rule fit_control:
    """What a control takes from the training cases: the line from MR to HU, the mean CT."""
    input:
        train=lambda w: task(w).cases.prepared_of(w.fold, "train"),
        normalization=rules.normalization.output,
    output:
        F.control("{control}"),
    log:
        T.log("{fold}fit_control/{control}"),
    benchmark:
        T.benchmark("{fold}fit_control/{control}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        code=code("fit_control"),
    message:
        "{wildcards.task}: {wildcards.fold}fit of the control {wildcards.control}"
    script:
        "../../scripts/fit_control.py"


rule control:
    """The rows that no network made."""
    input:
        test=lambda w: task(w).cases.chunk(w.chunk).prepared,
        fitted=lambda w: task(w).models.control(task(w).cases.chunk(w.chunk).fold, w.control),
        normalization=lambda w: task(w).models.control_limits(task(w).cases.chunk(w.chunk).fold, w.control),
    output:
        T.synthetic("{control}").record("{chunk}"),
    log:
        T.log("control/{control}.{chunk}"),
    benchmark:
        T.benchmark("control/{control}.{chunk}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        cases=lambda w: task(w).cases.chunk(w.chunk).cases,
        code=code("control"),
    message:
        "{wildcards.task}: control {wildcards.control}, chunk {wildcards.chunk}"
    script:
        "../../scripts/control.py"


rule read_synthetic:
    """Synthetic CT that lies in files, checked as a CT is, on each case's grid."""
    input:
        prepared=lambda w: task(w).cases.chunk(w.chunk).prepared,
        files=lambda w: task(w).models.files(w.file_row, task(w).cases.chunk(w.chunk).cases),
    output:
        T.synthetic("{file_row}").record("{chunk}"),
    log:
        T.log("read_synthetic/{file_row}.{chunk}"),
    benchmark:
        T.benchmark("read_synthetic/{file_row}.{chunk}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        cases=lambda w: task(w).cases.chunk(w.chunk).cases,
        row=lambda w: task(w).models.file_options(w.file_row),
        code=code("read_synthetic"),
    message:
        "{wildcards.task}: synthetic CT of {wildcards.file_row} from files, chunk {wildcards.chunk}"
    script:
        "../../scripts/read_synthetic.py"


rule segment_real:
    """The silver standard: the real CT of the test cases, once per segmenter."""
    input:
        prepared=lambda w: task(w).cases.chunk(w.chunk).prepared,
        weights=lambda w: task(w).models.segmenter_inputs(task(w).cases.chunk(w.chunk).fold, w.segmenter),
        files=lambda w: task(w).models.label_files(w.segmenter, "ct", task(w).cases.chunk(w.chunk).cases),
    output:
        T.segmentations("{segmenter}", "ct").record("{chunk}"),
    log:
        T.log("segment/{segmenter}.ct.{chunk}"),
    benchmark:
        T.benchmark("segment/{segmenter}.ct.{chunk}")
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=480,
        gpu=1,
    params:
        cases=lambda w: task(w).cases.chunk(w.chunk).cases,
        segmenter=option("segmenters", "{segmenter}"),
        classes=lambda w: task(w).task.segmenters[w.segmenter].known_values(),
        folder=lambda w: task(w).models.segmenter_model(task(w).cases.chunk(w.chunk).fold, w.segmenter),
        device=RUNTIME["device"],
        code=code("segment", lambda w: task(w).task.segmenters[w.segmenter].code()),
    message:
        "{wildcards.task}: {wildcards.segmenter} on the real CT, chunk {wildcards.chunk}"
    script:
        "../../scripts/segment.py"


rule segment:
    """The synthetic CT of one row by one segmenter; an image equal to the real CT takes its segmentation over."""
    input:
        synthetic=lambda w: task(w).results.segmented_record(w.row + w.seed, w.chunk),
        prepared=lambda w: task(w).cases.chunk(w.chunk).prepared,
        real=rules.segment_real.output,
        weights=lambda w: task(w).models.segmenter_inputs(task(w).cases.chunk(w.chunk).fold, w.segmenter),
        files=lambda w: task(w).models.label_files(w.segmenter, w.row, task(w).cases.chunk(w.chunk).cases),
    output:
        T.segmentations("{segmenter}", "{row}{seed}").record("{chunk}"),
    log:
        T.log("segment/{segmenter}.{row}{seed}.{chunk}"),
    benchmark:
        T.benchmark("segment/{segmenter}.{row}{seed}.{chunk}")
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=480,
        gpu=1,
    params:
        cases=lambda w: task(w).cases.chunk(w.chunk).cases,
        segmenter=option("segmenters", "{segmenter}"),
        classes=lambda w: task(w).task.segmenters[w.segmenter].known_values(),
        folder=lambda w: task(w).models.segmenter_model(task(w).cases.chunk(w.chunk).fold, w.segmenter),
        device=RUNTIME["device"],
        code=code("segment", lambda w: task(w).task.segmenters[w.segmenter].code()),
    message:
        "{wildcards.task}: {wildcards.segmenter} on {wildcards.row}{wildcards.seed}, chunk {wildcards.chunk}"
    script:
        "../../scripts/segment.py"


ruleorder: segment_real > segment
ruleorder: control > synthesize
