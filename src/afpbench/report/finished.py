"""The tasks of a study that has been run, as the report's sections read them."""

from pathlib import Path

from ..base.errors import ConfigError
from ..study.plan import StudyPlan
from .context import Task, linked

SHOWN = 5  # missing files that an error names


def read_task(plan: StudyPlan, name: str, page: Path | None = None) -> Task | None:
    """A task by its name; None where it has no metrics, no statistics or no splits yet.

    page: the file that links to the figures' PDF files. Raises UnusableFile for a file that cannot be read.
    """
    its = plan.tasks[name]
    needed = [its.paths.metrics, its.paths.statistics, *(its.paths.fold(fold).splits for fold in its.paths.folds)]
    if not all((plan.root / path).is_file() for path in needed):
        return None
    figures = []
    if page is not None:
        for png in its.results.figures("png"):
            figures.append(linked(plan.root / png, page))
    context = its.results.table_context
    return Task(name, plan.root / its.paths.folder, plan.study["tasks"][name], context, figures, plan.seeds)


def read_finished(plan: StudyPlan, page: Path) -> list[Task]:
    """The tasks of a finished study, in order. Raises ConfigError where files that the page shows are not made yet."""
    inputs = {path for paths in plan.report_inputs.values() for path in paths}
    missing = sorted(path for path in inputs if not (plan.root / path).exists())
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ConfigError(
            f"{plan.root / plan.paths.results}: the study is not finished",
            found=f"not made yet: {', '.join(missing[:SHOWN])}{more}",
            expected="every table, figure and record that the page shows",
            hint="run the study first (`afpbench status` says what is left); --format latex takes what is there",
        )
    tasks = [read_task(plan, name, page) for name in plan.tasks]
    return [task for task in tasks if task is not None]
