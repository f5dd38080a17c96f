"""From a source to a checked case on canonical axes, and its MR on the study's spacing."""


localrules:
    download_sts,


rule download_sts:
    """The files of one soft-tissue-sarcoma patient, from the public repository, with checksums."""
    output:
        directory(f"{STS_DOWNLOADS}/{{case}}"),
    log:
        f"{RESULTS}/logs/download/{{case}}.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        data=sts_data,
    message:
        "Downloading {wildcards.case}"
    script:
        "../../scripts/download_sts.py"


rule import_case:
    """Read MR and CT (and labels, contours, true deformation), check them, turn them to canonical axes."""
    input:
        source_files,
    output:
        directory(f"{R}/cases/{{case}}/imported"),
    log:
        f"{LOGS}/import/{{case}}.log",
    benchmark:
        f"{BENCHMARKS}/import/{{case}}.tsv"
    priority: 30
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        data=option("data"),
        seed=SEED,
        code=code_digest("io", "data", "phantom"),
    message:
        "{wildcards.task}: importing {wildcards.case}"
    script:
        "../../scripts/import_case.py"


rule resample_case:
    """The MR on the study's spacing: this grid is the case's grid from here on."""
    input:
        imported=rules.import_case.output,
    output:
        directory(f"{R}/cases/{{case}}/resampled"),
    log:
        f"{LOGS}/resample/{{case}}.log",
    benchmark:
        f"{BENCHMARKS}/resample/{{case}}.tsv"
    priority: 30
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        spacing_mm=option("spacing_mm"),
        code=code_digest("io", "preprocessing"),
    message:
        "{wildcards.task}: resampling {wildcards.case}"
    script:
        "../../scripts/resample_case.py"
