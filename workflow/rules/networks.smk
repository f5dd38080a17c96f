"""Feature networks that are no segmenters: downloaded weights, and MedicalNet's stand-in."""


localrules:
    download_weights,


rule download_weights:
    """Weights from an address of the study file, with their checksum; a broken download goes on."""
    output:
        f"{DOWNLOADS}/{{digest}}/{{file}}",
    log:
        f"{RESULTS}/logs/download_weights/{{digest}}.{{file}}.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        url=lambda wildcards: download_of(wildcards)["url"],
        sha256=lambda wildcards: download_of(wildcards)["sha256"],
    message:
        "Downloading {wildcards.file}"
    script:
        "../../scripts/download_weights.py"


rule train_medicalnet:
    """MedicalNet's stand-in: its network, trained on tissues of the real CT, stored in its own format."""
    input:
        prepared=prepared("train", "validation"),
        splits=rules.splits.output,
    output:
        weights=f"{F}models/networks/{{network}}/resnet.pth",
        curves=f"{F}models/networks/{{network}}/curves.csv",
        cost=f"{F}models/networks/{{network}}/cost.json",
    log:
        f"{LOGS}/{{fold}}train_medicalnet/{{network}}.log",
    benchmark:
        f"{BENCHMARKS}/{{fold}}train_medicalnet/{{network}}.tsv"
    priority: 20
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=2880,
        gpu=option("feature_networks", "{network}", "training", "gpus"),
    params:
        network=stand_in_options,
        spacing_mm=option("spacing_mm"),
        work=f"{F}unfinished/networks/{{network}}",
        device=RUNTIME["device"],
        precision=lambda wildcards: precision(TASKS[wildcards.task]["feature_networks"][wildcards.network]["training"]),
        seed=SEED,
        code=code_digest("training", "features.medicalnet", "features.mapping"),
    message:
        "{wildcards.task}: {wildcards.fold}training MedicalNet's stand-in {wildcards.network}"
    script:
        "../../scripts/train_medicalnet.py"
