"""The paper's tables, for machines and for people."""


rule table:
    """One table as CSV, Markdown, LaTeX and HTML, of scores or of costs."""
    input:
        unpack(lambda w: task(w).results.table_inputs(w.table)),
    output:
        csv=T.table("{table}", "csv"),
        md=report(T.table("{table}", "md"), category="{task}", caption="../report/table.rst"),
        tex=T.table("{table}", "tex"),
        html=report(T.table("{table}", "html"), category="{task}", caption="../report/table.rst"),
    log:
        T.log("tables/{table}"),
    benchmark:
        T.benchmark("tables/{table}")
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=option("tables", "{table}"),
        task=lambda w: task(w).results.table_context,
        runs=lambda w: task(w).results.run_counts,
        together=lambda w: task(w).cases.together,
        shown=lambda w: task(w).results.shown_in(w.table),
        code=code("table", lambda w: task(w).task.tables[w.table].code()),
    message:
        "{wildcards.task}: {wildcards.table}"
    script:
        "../../scripts/table.py"
