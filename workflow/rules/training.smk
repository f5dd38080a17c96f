"""Variants: a generator trained on a loss."""


rule train_variant:
    """Train one variant; a killed training goes on from its last checkpoint."""
    input:
        training_set=lambda w: task(w).models.training_set(w.fold, w.variant),
        normalization=rules.normalization.output,
        networks=lambda w: task(w).models.network_inputs(w.fold, w.variant),
        start=lambda w: task(w).models.start(w.fold, w.variant),
    output:
        plans=F.variant("{variant}").plans,
        dataset=F.variant("{variant}").dataset,
        checkpoint=F.variant("{variant}").checkpoint,
        curves=F.variant("{variant}").curves,
        cost=F.variant("{variant}").cost,
    log:
        T.log("{fold}train/{variant}"),
    benchmark:
        T.benchmark("{fold}train/{variant}")
    priority: 10
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=32000,
        runtime=5760,
        gpu=option("variants", "{variant}", "training", "gpus"),
    params:
        variant=lambda w: task(w).models.training(w.variant),
        networks=lambda w: task(w).models.features(w.fold, w.variant),
        label_values=lambda w: task(w).models.label_values(w.variant),
        work=F.unfinished("variants", "{variant}"),
        device=RUNTIME["device"],
        precision=lambda w: task(w).precision("variants", w.variant),
        seed=SEED,
        code=code(
            "train_variant",
            more=lambda w: task(w).models.variant_code(w.variant),
            without=lambda w: task(w).models.idle_code(w.variant),
        ),
    message:
        "{wildcards.task}: {wildcards.fold}training {wildcards.variant}"
    script:
        "../../scripts/train_variant.py"
