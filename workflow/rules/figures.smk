"""Figures, and the report: they read what the other rules made, and nothing depends on them."""


rule figure_slices:
    """Figures 2 and 6 of the paper: MR, real CT and every row side by side; and the slices to choose from in the report."""
    input:
        metrics=rules.metrics.output[0],
        prepared=lambda w: task(w).cases.prepared_test,
        synthetic=lambda w: task(w).results.figure_synthetic,
        segmentations=lambda w: task(w).results.zoom_segmentations,
    output:
        png=report(
            [T.slices("{pick}", plane, "png") for plane in PLANES],
            category="{task}",
            subcategory="figures",
            caption="../report/slices.rst",
        ),
        pdf=[T.slices("{pick}", plane, "pdf") for plane in PLANES],
        panel=T.slice_panel("{pick}"),
    log:
        T.log("figures/slices.{pick}"),
    benchmark:
        T.benchmark("figures/slices.{pick}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        context=lambda w: task(w).results.figure_context,
        options=lambda w: task(w).results.figure_options("window_hu", "error_hu", "zoom"),
        planes=PLANES,
        code=code("figure_slices"),
    message:
        "{wildcards.task}: slices of the case {wildcards.pick}"
    script:
        "../../scripts/figure_slices.py"


rule figure_uncertainty:
    """The uncertainty map of every trained row beside its error, and whether the one tells of the other."""
    input:
        metrics=rules.metrics.output[0],
        prepared=lambda w: task(w).cases.prepared_test,
        synthetic=lambda w: task(w).results.figure_synthetic,
        segmentations=lambda w: task(w).results.zoom_segmentations,
    output:
        png=report(
            T.uncertainty("{pick}", "png"),
            category="{task}",
            subcategory="figures",
            caption="../report/uncertainty.rst",
        ),
        pdf=T.uncertainty("{pick}", "pdf"),
    log:
        T.log("figures/uncertainty.{pick}"),
    benchmark:
        T.benchmark("figures/uncertainty.{pick}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        context=lambda w: task(w).results.figure_context | {"rows": task(w).results.uncertain_rows},
        options=lambda w: task(w).results.figure_options("error_hu", "zoom"),
        definition=option("definition"),
        code=code("figure_uncertainty"),
    message:
        "{wildcards.task}: uncertainty of the case {wildcards.pick}"
    script:
        "../../scripts/figure_uncertainty.py"


rule figure_surfaces:
    """Figures 3 to 5 of the paper: the segmentations in 3D, with what a row adds and what it misses."""
    input:
        metrics=rules.metrics.output[0],
        prepared=lambda w: task(w).cases.prepared_test,
        segmentations=lambda w: task(w).results.figure_segmentations,
    output:
        png=report(
            T.surfaces("{pick}", "png"),
            category="{task}",
            subcategory="figures",
            caption="../report/surfaces.rst",
        ),
        pdf=T.surfaces("{pick}", "pdf"),
    log:
        T.log("figures/surfaces.{pick}"),
    benchmark:
        T.benchmark("figures/surfaces.{pick}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        context=lambda w: task(w).results.figure_context,
        structures=option("figures", "structures"),
        code=code("figure_surfaces"),
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
            T.distributions("png"),
            category="{task}",
            subcategory="figures",
            caption="../report/distributions.rst",
        ),
        pdf=T.distributions("pdf"),
    log:
        T.log("figures/distributions"),
    benchmark:
        T.benchmark("figures/distributions")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        context=lambda w: task(w).results.figure_context,
        columns=lambda w: task(w).results.table_columns,
        shown=lambda w: task(w).results.shown_metrics,
        code=code("figure_distributions"),
    message:
        "{wildcards.task}: distributions of metrics"
    script:
        "../../scripts/figure_distributions.py"


rule figure_curves:
    """Learning curves: every loss term of every network that was trained, and what validation said."""
    input:
        lambda w: [path for _, path in task(w).models.trained("curves")],
    output:
        png=report(
            T.curves("png"),
            category="{task}",
            subcategory="figures",
            caption="../report/curves.rst",
        ),
        pdf=T.curves("pdf"),
    log:
        T.log("figures/curves"),
    benchmark:
        T.benchmark("figures/curves")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        labels=lambda w: [label for label, _ in task(w).models.trained("curves", with_seeds=False)],
        structures=lambda w: task(w).results.structure_labels,
        code=code("figure_curves"),
    message:
        "{wildcards.task}: learning curves"
    script:
        "../../scripts/figure_curves.py"


rule report:
    """One self-contained page: data, tables, figures, statistics, cost, failures, and where everything comes from."""
    input:
        **PLAN.report_inputs,
    output:
        report(S.report, caption="../report/report.rst"),
    log:
        S.log("report"),
    benchmark:
        S.benchmark("report")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        study=STUDY,
        contexts={name: plan.results.table_context for name, plan in PLAN.tasks.items()},
        figures={name: plan.results.figures("png") for name, plan in PLAN.tasks.items()},
        code=code("report"),
    message:
        "report"
    script:
        "../../scripts/report.py"
