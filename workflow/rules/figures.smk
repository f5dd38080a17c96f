"""Figures, and the report: they read what the other rules made, and nothing depends on them."""


rule figure_slices:
    """Figures 2 and 6 of the paper: MR, real CT and every row side by side, with a zoom and an error map."""
    input:
        metrics=rules.metrics.output[0],
        prepared=prepared_test,
        synthetic=figure_synthetic,
        segmentations=figure_segmentations("zoom"),
    output:
        png=report(
            [f"{R}/figures/{{pick}}/slices_{plane}.png" for plane in PLANES],
            category="{task}",
            subcategory="figures",
            caption="../report/slices.rst",
        ),
        pdf=[f"{R}/figures/{{pick}}/slices_{plane}.pdf" for plane in PLANES],
    log:
        f"{LOGS}/figures/slices.{{pick}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/slices.{{pick}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        context=figure_context,
        options=lambda wildcards: figure_options(wildcards, "window_hu", "error_hu", "zoom"),
        planes=PLANES,
        code=code_digest("figures.slices", "figures.cases", "figures.style"),
    message:
        "{wildcards.task}: slices of the case {wildcards.pick}"
    script:
        "../../scripts/figure_slices.py"


rule figure_surfaces:
    """Figures 3 to 5 of the paper: the segmentations in 3D, with what a row adds and what it misses."""
    input:
        metrics=rules.metrics.output[0],
        prepared=prepared_test,
        segmentations=figure_segmentations("structures"),
    output:
        png=report(
            f"{R}/figures/{{pick}}/surfaces.png",
            category="{task}",
            subcategory="figures",
            caption="../report/surfaces.rst",
        ),
        pdf=f"{R}/figures/{{pick}}/surfaces.pdf",
    log:
        f"{LOGS}/figures/surfaces.{{pick}}.log",
    benchmark:
        f"{BENCHMARKS}/figures/surfaces.{{pick}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        context=figure_context,
        structures=option("figures", "structures"),
        code=code_digest("figures.surfaces", "figures.render", "figures.cases", "figures.style"),
    message:
        "{wildcards.task}: segmentations of the case {wildcards.pick} in 3D"
    script:
        "../../scripts/figure_surfaces.py"


rule figure_distributions:
    """Every metric of the tables: boxes, single cases, and lines that join a case from row to row."""
    input:
        metrics=rules.metrics.output[0],
        statistics=rules.statistics.output[0],
    output:
        png=report(
            f"{R}/figures/distributions.png",
            category="{task}",
            subcategory="figures",
            caption="../report/distributions.rst",
        ),
        pdf=f"{R}/figures/distributions.pdf",
    log:
        f"{LOGS}/figures/distributions.log",
    benchmark:
        f"{BENCHMARKS}/figures/distributions.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        context=figure_context,
        columns=table_columns,
        code=code_digest("figures.distributions", "figures.cases", "figures.style"),
    message:
        "{wildcards.task}: distributions of metrics"
    script:
        "../../scripts/figure_distributions.py"


rule figure_curves:
    """Learning curves: every loss term of every network that was trained, and what validation said."""
    input:
        lambda wildcards: [path for _, path in trained_networks(wildcards.task, "curves.csv")],
    output:
        png=report(
            f"{R}/figures/curves.png",
            category="{task}",
            subcategory="figures",
            caption="../report/curves.rst",
        ),
        pdf=f"{R}/figures/curves.pdf",
    log:
        f"{LOGS}/figures/curves.log",
    benchmark:
        f"{BENCHMARKS}/figures/curves.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        labels=lambda wildcards: [label for label, _ in trained_networks(wildcards.task, "curves.csv")],
        code=code_digest("figures.curves", "figures.style"),
    message:
        "{wildcards.task}: learning curves"
    script:
        "../../scripts/figure_curves.py"


rule report:
    """One self-contained page: data, tables, figures, statistics, cost, failures, and where everything comes from."""
    input:
        figures=[path for task in TASKS for path in figure_files(task)],
        tables=[f"{RESULTS}/{task}/tables/{table}.html" for task, spec in TASKS.items() for table in spec["tables"]],
        records=report_records(),
        registered=[f"{RESULTS}/{task}/cases/{case}/registered" for task in TASKS for case in TEST[task]],
    output:
        report(f"{RESULTS}/report.html", caption="../report/report.rst"),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        study=STUDY,
        contexts={task: table_context(task) for task in TASKS},
        figures={task: figure_files(task) for task in TASKS},
        code=code_digest("report", "base.html"),
    message:
        "report"
    script:
        "../../scripts/report.py"
