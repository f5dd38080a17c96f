"""Variants: a generator trained on a loss."""


rule train_variant:
    """Train one variant; a killed training goes on from its last checkpoint."""
    input:
        training_set=lambda wildcards: (
            f"{RESULTS}/{wildcards.task}/{wildcards.fold}training_sets/"
            f"{TASKS[wildcards.task]['variants'][wildcards.variant]['generator']}"
        ),
        normalization=rules.normalization.output,
        networks=network_inputs,
        start=start_checkpoint,
    output:
        plans=f"{F}models/variants/{{variant}}/plans.json",
        dataset=f"{F}models/variants/{{variant}}/dataset.json",
        checkpoint=f"{F}models/variants/{{variant}}/fold_0/checkpoint_final.pth",
        curves=f"{F}models/variants/{{variant}}/curves.csv",
        cost=f"{F}models/variants/{{variant}}/cost.json",
    log:
        f"{LOGS}/{{fold}}train/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/{{fold}}train/{{variant}}.tsv"
    priority: 10
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=32000,
        runtime=5760,
        gpu=option("variants", "{variant}", "training", "gpus"),
    params:
        variant=variant_training,
        networks=feature_networks,
        label_values=named_label_values,
        work=f"{F}unfinished/variants/{{variant}}",
        device=RUNTIME["device"],
        precision=lambda wildcards: precision(TASKS[wildcards.task]["variants"][wildcards.variant]["training"]),
        seed=SEED,
        code=code_digest("training", "features", "volumes.normalization", "base.hardware"),
        loss_code=loss_code,
        generator_code=generator_code,
    message:
        "{wildcards.task}: {wildcards.fold}training {wildcards.variant}"
    script:
        "../../scripts/train_variant.py"
