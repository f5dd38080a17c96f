"""From a source to a checked case on canonical axes, and its MR on the study's spacing."""

from types import SimpleNamespace

IMPORT_CODE = [
    "volumes.nifti",
    *(f"data.{name}" for name in ("importing", "checks", "hu_labels", "rtstruct", "contours")),
    *(f"data.{name}" for name in ("dicom", "dicom_files", "dicom_geometry", "dicom_pixels")),
]


localrules:
    download_sts,
    download_synthrad2023,
    unpack_synthrad2023,


rule download_sts:
    """The files of one soft-tissue-sarcoma patient, from the public repository, with checksums."""
    output:
        directory(f"{STS_DOWNLOADS}/{{case}}"),
    log:
        f"{RESULTS}/logs/download/{{case}}.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        data=download_source("sts").options,
    message:
        "Downloading {wildcards.case}"
    script:
        "../../scripts/download_sts.py"


rule download_synthrad2023:
    """The archive of SynthRAD2023's Task 1, from its public record, with the record's checksum; goes on after a break."""
    output:
        f"{SYNTHRAD2023}/Task1.zip",
    log:
        f"{RESULTS}/logs/download/synthrad2023.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        url=download_source("synthrad2023").options["url"],
    message:
        "Downloading SynthRAD2023, Task 1 (14.5 GB)"
    script:
        "../../scripts/download_synthrad2023.py"


rule unpack_synthrad2023:
    """One pelvis patient of the archive. The archive may be removed when all are unpacked."""
    input:
        rules.download_synthrad2023.output,
    output:
        directory(f"{SYNTHRAD2023}/Task1/pelvis/{{case}}"),
    log:
        f"{RESULTS}/logs/download/synthrad2023_{{case}}.log",
    conda:
        "../../envs/imaging.yaml"
    message:
        "Unpacking {wildcards.case}"
    script:
        "../../scripts/unpack_synthrad2023.py"


rule check_data:
    """Every case opened once: what it is, and what looks wrong with it. Stops nothing; the import refuses what it must."""
    input:
        lambda wildcards: [
            file
            for case in CASES[wildcards.task]
            for file in source_files(SimpleNamespace(task=wildcards.task, case=case))
        ],
    output:
        page=f"{R}/check/index.html",
        table=f"{R}/check/check.csv",
    log:
        f"{LOGS}/check_data.log",
    benchmark:
        f"{BENCHMARKS}/check_data.tsv"
    priority: 40
    conda:
        "../../envs/imaging.yaml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        data=import_options,
        cases=lambda wildcards: CASES[wildcards.task],
        code=code_digest("volumes.io", "data", "volumes.preprocessing", "registration.quality", "base.html"),
    message:
        "{wildcards.task}: checking the input"
    script:
        "../../scripts/check_data.py"


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
        data=import_options,
        seed=SEED,
        code=code_digest("volumes.io", "phantom", *IMPORT_CODE),
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
        bias_correction=option("bias_correction"),
        code=code_digest("volumes.io", "volumes.preprocessing", "volumes.bias_field"),
    message:
        "{wildcards.task}: resampling {wildcards.case}"
    script:
        "../../scripts/resample_case.py"
