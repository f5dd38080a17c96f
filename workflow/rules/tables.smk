"""The paper's tables, for machines and for people."""


rule table:
    """One table as CSV, Markdown, LaTeX and HTML, of scores or of costs."""
    input:
        unpack(table_inputs),
    output:
        csv=f"{R}/tables/{{table}}.csv",
        md=report(f"{R}/tables/{{table}}.md", category="{task}", caption="../report/table.rst"),
        tex=f"{R}/tables/{{table}}.tex",
        html=report(f"{R}/tables/{{table}}.html", category="{task}", caption="../report/table.rst"),
    log:
        f"{LOGS}/tables/{{table}}.log",
    benchmark:
        f"{BENCHMARKS}/tables/{{table}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        spec=option("tables", "{table}"),
        task=lambda wildcards: table_context(wildcards.task),
        code=code_digest("tables"),
    message:
        "{wildcards.task}: {wildcards.table}"
    script:
        "../../scripts/table.py"
