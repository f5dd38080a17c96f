"""Variants: a generator trained on a loss."""


rule train_variant:
    """Train one variant with one seed; a killed training goes on from its last checkpoint."""
    input:
        training_set=lambda w: task(w).models.training_set(w.fold, w.variant),
        normalization=rules.normalization.output,
        networks=lambda w: task(w).models.network_inputs(w.fold, w.variant),
        start=lambda w: task(w).models.start(w.fold, w.seed, w.variant),
        judge=lambda w: task(w).models.judges.inputs(w.fold, w.variant),
    output:
        plans=F.variant(RUN).plans,
        dataset=F.variant(RUN).dataset,
        checkpoint=F.variant(RUN).checkpoint,
        curves=F.variant(RUN).curves,
        cost=F.variant(RUN).cost,
    log:
        T.log(f"{{fold}}train/{RUN}"),
    benchmark:
        T.benchmark(f"{{fold}}train/{RUN}")
    priority: soon(10, "fold", "variant", "seed")
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=32000,
        runtime=5760,
        gpu=option("variants", "{variant}", "training", "gpus"),
    params:
        variant=lambda w: task(w).models.training(w.fold, w.variant),
        networks=lambda w: task(w).models.features(w.fold, w.variant),
        label_values=lambda w: task(w).models.label_values(w.variant),
        work=F.unfinished("variants", RUN),
        device=RUNTIME["device"],
        precision=lambda w: task(w).precision("variants", w.variant),
        seed=lambda w: PLAN.seeds[w.seed],
        code=code(
            "train_variant",
            more=lambda w: task(w).models.variant_code(w.variant),
            without=lambda w: task(w).models.idle_code(w.variant),
        ),
    message:
        "{wildcards.task}: {wildcards.fold}training {wildcards.variant}{wildcards.seed}"
    script:
        "../../scripts/train_variant.py"
