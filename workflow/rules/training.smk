"""Variants: a generator trained on a loss."""


rule train_variant:
    """Train one variant; a killed training goes on from its last checkpoint."""
    input:
        training_set=lambda wildcards: (
            f"{RESULTS}/{wildcards.task}/training_sets/"
            f"{TASKS[wildcards.task]['variants'][wildcards.variant]['generator']}"
        ),
        normalization=rules.normalization.output,
        networks=network_inputs,
        start=start_checkpoint,
    output:
        plans=f"{R}/models/variants/{{variant}}/plans.json",
        dataset=f"{R}/models/variants/{{variant}}/dataset.json",
        checkpoint=f"{R}/models/variants/{{variant}}/fold_0/checkpoint_final.pth",
        curves=f"{R}/models/variants/{{variant}}/curves.csv",
        cost=f"{R}/models/variants/{{variant}}/cost.json",
    log:
        f"{LOGS}/train/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{variant}}.tsv"
    priority: 10
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=32000,
        runtime=5760,
        gpu=1,
    params:
        variant=variant_training,
        networks=feature_networks,
        label_values=named_label_values,
        work=f"{R}/unfinished/variants/{{variant}}",
        device=RUNTIME["device"],
        precision=lambda wildcards: precision(TASKS[wildcards.task]["variants"][wildcards.variant]["training"]),
        seed=SEED,
        code=code_digest("training", "features", "normalization", "hardware"),
        loss_code=loss_code,
        generator_code=generator_code,
    message:
        "{wildcards.task}: training {wildcards.variant}"
    script:
        "../../scripts/train_variant.py"
