"""CT onto MR, in the place of EVolution: rigid translation, then elastix B-spline; or as the user has done it."""


rule register_case:
    """Register the CT onto the MR, resample it once onto the case's grid, and score what was done."""
    input:
        imported=rules.import_case.output,
        resampled=rules.resample_case.output,
        own=lambda w: task(w).cases.registration_files(w.case, w.side),
    output:
        directory(T.registered("{case}", "{side}")),
    log:
        T.log("register{side}/{case}"),
    benchmark:
        T.benchmark("register{side}/{case}")
    priority: soon(30)
    conda:
        "../../envs/imaging.yaml"
    threads: lambda w: task(w).cases.registrations[w.side]["threads"]
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        options=lambda w: task(w).cases.registrations[w.side],
        threshold_hu=option("body_mask", "threshold_hu"),
        code=code("register_case"),
    message:
        "{wildcards.task}: registering {wildcards.case}{wildcards.side}"
    script:
        "../../scripts/register_case.py"


rule registration_table:
    """One row per case: metric values, time, Jacobian determinant, the error where the truth is known; and a page."""
    input:
        registered=lambda w: task(w).cases.registered,
    output:
        csv=T.registration,
        page=T.registration_page,
    log:
        T.log("registration_table"),
    benchmark:
        T.benchmark("registration_table")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=code("registration_table"),
    message:
        "{wildcards.task}: registration table"
    script:
        "../../scripts/registration_table.py"
