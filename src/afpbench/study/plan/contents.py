"""What a results folder holds, for whoever looks at it without the study file: names, labels, cases. A run writes it.

It follows from the study file alone; what of it is there already is for the reader to see.
"""

from typing import Any

from ..seeds import with_seed
from .study import StudyPlan
from .task import TaskPlan


def contents(plan: StudyPlan) -> dict[str, Any]:
    """The record `contents.json` (study.records) of a study."""
    return {"tasks": {name: _of_task(task, plan) for name, task in plan.tasks.items()}}


def _of_task(plan: TaskPlan, study: StudyPlan) -> dict[str, Any]:
    results, segmenters = plan.results, plan.task.segmenters
    test = plan.cases.test
    return {
        "title": plan.option("title"),
        "reference": plan.option("reference"),
        "has_mr": plan.task.source.has_mr,
        "mr_channels": list(plan.task.source.mr_channels),
        "has_ct": plan.task.source.has_ct,
        "rows": [
            {"run": run, "label": _label(plan, study, row, run)} for row in results.rows for run in results.runs_of(row)
        ],
        "segmenters": {
            name: {
                "label": segmenters[name].options["label"],
                "classes": segmenters[name].class_values(),
                "structures": [
                    {"label": results.structure_labels[structure], "values": spec["labels"]}
                    for structure, spec in results.structures.items()
                    if spec["segmenter"] == name
                ],
            }
            for name in results.segmenters_of(results.structures)
        },
        "test": test,
        "others_side": plan.cases.side("train"),
        "others": sorted(set(plan.cases.used) - set(test)),
    }


def _label(plan: TaskPlan, study: StudyPlan, row: str, run: str) -> str:
    label = plan.results.labels[row]
    return with_seed(label, run.removeprefix(row), study.seeds) if row in plan.task.trained else label
