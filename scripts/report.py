from afpbench.base import log

log.start(snakemake.log[0])
from pathlib import Path

from afpbench.report.context import linked
from afpbench.report.page import write_report
from afpbench.report.task import Task
from afpbench.study.seeds import seed_marks

params, page = snakemake.params, Path(snakemake.output[0])

seeds = seed_marks(params.study)
tasks = [
    Task(
        name,
        page.parent / name,
        spec,
        params.contexts[name],
        [linked(Path(png), page) for png in params.figures[name]],
        seeds,
    )
    for name, spec in params.study["tasks"].items()
]
write_report(page, params.study, tasks)
