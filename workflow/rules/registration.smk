"""CT onto MR, in the place of EVolution: rigid translation, then elastix B-spline; or as the user has done it."""

REGISTRATION_MODULES = [
    f"registration.{name}"
    for name in ("case", "edges", "elastix", "external", "intensity", "options", "parameters", "quality", "warp")
]


rule register_case:
    """Register the CT onto the MR, resample it once onto the case's grid, and score what was done."""
    input:
        imported=rules.import_case.output,
        resampled=rules.resample_case.output,
        own=own_registration,
    output:
        directory(f"{R}/cases/{{case}}/registered"),
    log:
        f"{LOGS}/register/{{case}}.log",
    benchmark:
        f"{BENCHMARKS}/register/{{case}}.tsv"
    priority: 30
    conda:
        "../../envs/imaging.yaml"
    threads: option("registration", "threads")
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        options=option("registration"),
        threshold_hu=option("body_mask", "threshold_hu"),
        code=code_digest("volumes.io", "volumes.preprocessing", *REGISTRATION_MODULES),
    message:
        "{wildcards.task}: registering {wildcards.case}"
    script:
        "../../scripts/register_case.py"


rule registration_table:
    """One row per case: metric values, time, Jacobian determinant, the error where the truth is known; and a page."""
    input:
        registered=lambda wildcards: expand(rules.register_case.output, task=wildcards.task, case=CASES[wildcards.task]),
    output:
        csv=f"{R}/registration/registration.csv",
        page=f"{R}/registration/qc.html",
    log:
        f"{LOGS}/registration_table.log",
    benchmark:
        f"{BENCHMARKS}/registration_table.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=code_digest("registration.table", "registration.page", "base.html"),
    message:
        "{wildcards.task}: registration table"
    script:
        "../../scripts/registration_table.py"
