"""Feature networks that are no segmenters: downloaded weights, and MedicalNet's stand-in."""

from afpbench.study.kinds.network import DOWNLOADS


localrules:
    download_weights,


rule download_weights:
    """Weights from an address of the study file, with their checksum; a broken download goes on."""
    output:
        f"{DOWNLOADS}/{{digest}}/{{file}}",
    log:
        S.log("download_weights/{digest}.{file}"),
    conda:
        "../../envs/imaging.yaml"
    params:
        url=lambda w: PLAN.weights(f"{DOWNLOADS}/{w.digest}/{w.file}")["url"],
        sha256=lambda w: PLAN.weights(f"{DOWNLOADS}/{w.digest}/{w.file}")["sha256"],
    message:
        "Downloading {wildcards.file}"
    script:
        "../../scripts/download_weights.py"


rule train_medicalnet:
    """MedicalNet's stand-in: its network, trained on tissues of the real CT, stored in its own format."""
    input:
        prepared=lambda w: task(w).cases.prepared_of(w.fold, "train", "validation"),
        splits=rules.splits.output,
    output:
        weights=F.network("{network}").weights,
        curves=F.network("{network}").curves,
        cost=F.network("{network}").cost,
    log:
        T.log("{fold}train_medicalnet/{network}"),
    benchmark:
        T.benchmark("{fold}train_medicalnet/{network}")
    priority: 20
    conda:
        "../../envs/nnunet.yaml"
    threads: RUNTIME["threads"]
    resources:
        mem_mb=16000,
        runtime=2880,
        gpu=option("feature_networks", "{network}", "training", "gpus"),
    params:
        network=lambda w: task(w).task.networks[w.network].training_options(),
        spacing_mm=option("spacing_mm"),
        work=F.unfinished("networks", "{network}"),
        device=RUNTIME["device"],
        precision=lambda w: task(w).precision("feature_networks", w.network),
        seed=SEED,
        code=code("train_medicalnet", lambda w: ["afpbench.training.trainers.nnUNetTrainerMedicalNet"]),
    message:
        "{wildcards.task}: {wildcards.fold}training MedicalNet's stand-in {wildcards.network}"
    script:
        "../../scripts/train_medicalnet.py"
