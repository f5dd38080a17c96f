"""From a source to a checked case on canonical axes, and its MR on the study's spacing."""

STS = PLAN.source("sts")
SYNTHRAD2023 = PLAN.source("synthrad2023")


localrules:
    download_sts,
    download_synthrad2023,
    unpack_synthrad2023,


rule download_sts:
    """The files of one soft-tissue-sarcoma patient, from the public repository, with checksums."""
    output:
        directory(f"{STS.download_folder}/{{case}}"),
    log:
        S.log("download/{case}"),
    conda:
        "../../envs/imaging.yaml"
    params:
        data=STS.options,
    message:
        "Downloading {wildcards.case}"
    script:
        "../../scripts/download_sts.py"


rule download_synthrad2023:
    """The archive of SynthRAD2023's Task 1, from its public record, with the record's checksum; goes on after a break."""
    output:
        f"{SYNTHRAD2023.download_folder}/Task1.zip",
    log:
        S.log("download/synthrad2023"),
    conda:
        "../../envs/imaging.yaml"
    params:
        url=SYNTHRAD2023.options["url"],
    message:
        "Downloading SynthRAD2023, Task 1 (14.5 GB)"
    script:
        "../../scripts/download_synthrad2023.py"


rule unpack_synthrad2023:
    """One pelvis patient of the archive. The archive may be removed when all are unpacked."""
    input:
        rules.download_synthrad2023.output,
    output:
        directory(f"{SYNTHRAD2023.download_folder}/Task1/pelvis/{{case}}"),
    log:
        S.log("download/synthrad2023_{case}"),
    conda:
        "../../envs/imaging.yaml"
    message:
        "Unpacking {wildcards.case}"
    script:
        "../../scripts/unpack_synthrad2023.py"


rule check_data:
    """Every case opened once: what it is, and what looks wrong with it. Stops nothing; the import refuses what it must."""
    input:
        lambda w: task(w).cases.all_files,
    output:
        page=T.check_page,
        table=T.check_table,
    log:
        T.log("check_data"),
    benchmark:
        T.benchmark("check_data")
    priority: 40
    conda:
        "../../envs/imaging.yaml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        data=lambda w: task(w).task.source.import_options(),
        cases=lambda w: task(w).cases.used,
        code=code("check_data", lambda w: task(w).task.source.code()),
    message:
        "{wildcards.task}: checking the input"
    script:
        "../../scripts/check_data.py"


rule import_case:
    """Read MR and CT (and labels, contours, true deformation), check them, turn them to canonical axes."""
    input:
        lambda w: task(w).cases.files(w.case),
    output:
        directory(T.imported("{case}")),
    log:
        T.log("import/{case}"),
    benchmark:
        T.benchmark("import/{case}")
    priority: soon(30)
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        data=lambda w: task(w).task.source.import_options(),
        seed=SEED,
        code=code("import_case", lambda w: task(w).task.source.code()),
    message:
        "{wildcards.task}: importing {wildcards.case}"
    script:
        "../../scripts/import_case.py"


rule resample_case:
    """The MR on the study's spacing: this grid is the case's grid from here on."""
    input:
        imported=rules.import_case.output,
    output:
        directory(T.resampled("{case}")),
    log:
        T.log("resample/{case}"),
    benchmark:
        T.benchmark("resample/{case}")
    priority: soon(30)
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        spacing_mm=option("spacing_mm"),
        bias_correction=option("bias_correction"),
        code=code("resample_case"),
    message:
        "{wildcards.task}: resampling {wildcards.case}"
    script:
        "../../scripts/resample_case.py"
