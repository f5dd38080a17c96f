"""The table of registration bias."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ....base.errors import AfpbenchError
from ...messages import not_among
from ...splits import make_folds
from ..kind import load
from ..table import Table

if TYPE_CHECKING:
    import pandas as pd

    from ....tables.build import Context
    from ....tables.inputs import Inputs
    from ...paths import TaskPaths
    from ...task import Task

EDGES = "mr_edges"
MAY_DIFFER = ("registration", "tables", "title", "figures")  # between the tasks of one table


class RegistrationBias(Table):
    """Several tasks of the study that differ in their `registration` alone: each row's synthetic CT, by the task that
    it was trained in, against the real CT of each task, and beside that its agreement with the MR's own edges."""

    name = "registration_bias"
    required = ("tasks",)
    uses = ("against",)
    properties: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tasks": {
            "description": "The tasks, this one among them. They have the same cases, splits (as lists: numbers are "
            "drawn anew for each task), rows and settings. Where a task registers `train` and `evaluate` apart, its "
            "rows were trained on the first and its column is the second.",
            "type": "array",
            "minItems": 2,
            "uniqueItems": True,
            "items": {"type": "string"},
            "x-allowed": "a list of two or more tasks",
        },
        "columns": {
            "description": "What is compared against each task's real CT. Structures must be found by a segmenter that "
            "comes with its weights: one that is trained here is another in each task.",
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/column"},
            "default": [{"metric": "mae"}],
            "x-allowed": "a list of columns",
        },
    }

    def complete(self, options: dict[str, Any]) -> None:
        """The variants, and the real CT where that is a control, unless the entry says which rows."""
        task = self.task.options
        real = ["real_ct"] if "real_ct" in task["controls"] else []
        options.setdefault("rows", [*task["variants"], *real])
        super().complete(options)

    def columns(self) -> list[dict[str, Any]]:
        return [*self.options["columns"], {"metric": EDGES, "structure": None, "region": "body"}]

    def inputs(self, paths: "TaskPaths", chunks: int) -> dict[str, str | list[str]]:
        """The metrics of every run: by the task that trained it, by the task that it is compared with, row by row."""
        tasks, runs = self.options["tasks"], [run for row in self.options["rows"] for run in self._runs(row, paths)]
        every = [(trained, against, run) for trained in tasks for against in tasks for run in runs]
        return {
            "against": [paths.sibling(trained).row_metrics_against(run, against) for trained, against, run in every]
        }

    def frame(self, inputs: "Inputs", context: "Context") -> "pd.DataFrame":
        table: pd.DataFrame = load("afpbench.tables.registration_bias:bias_frame")(self.options, inputs, context)
        return table

    def caption(self, inputs: "Inputs", context: "Context") -> str:
        text: str = load("afpbench.tables.registration_bias:bias_caption")(self.options, inputs, context)
        return text

    def problems(self) -> Iterable[str]:
        """What is wrong with rows and columns, and structures that another network finds in each task."""
        from ..registry import METRICS

        yield from super().problems()
        structures = self.task.options["structures"]
        for index, column in enumerate(self.options["columns"]):
            if column["metric"] in METRICS and "uncertainty" in METRICS[column["metric"]].of:
                yield (f"{self.place}.columns[{index}].metric: '{column['metric']}' is of a row's own map, and is not "
                       "compared with other tasks; hint: remove it")  # fmt: skip
            segmenter = structures.get(column["structure"], {}).get("segmenter")
            if segmenter in self.task.segmenters and self.task.segmenters[segmenter].trained_here:
                yield (f"{self.place}.columns[{index}].structure: its segmenter '{segmenter}' is trained here, another "
                       "one in each task; hint: give the segmenter's weights, or leave the column out")  # fmt: skip

    def problems_between(self, tasks: "Mapping[str, Task]") -> Iterable[str]:
        """Tasks that there are not, and what they differ in beside the registration."""
        place, own, names = f"{self.place}.tasks", self.task, self.options["tasks"]
        yield from (not_among(place, name, tasks, "no such task") for name in names if name not in tasks)
        if own.name not in names:
            yield f"{place}: '{own.name}', the task of the table, is not among them; hint: add it"
        for name in names:
            if name in tasks and (differing := _differing(own, tasks[name])):
                hint = "; hint: numbers are drawn anew for each task: list the cases" if "splits" in differing else ""
                yield (f"{place}: '{name}' differs from '{own.name}' in more than its registration; found: "
                       f"{', '.join(differing)}; allowed: {', '.join(MAY_DIFFER)}{hint}")  # fmt: skip


def _differing(one: "Task", other: "Task") -> list[str]:
    keys = [key for key in one.options if key not in (*MAY_DIFFER, "splits")]
    found = [key for key in keys if one.options[key] != other.options.get(key)]
    try:
        parts = [make_folds(task.source.cases(), dict(task.options["splits"]), task.seed, task.name)
                 for task in (one, other)]  # fmt: skip
    except AfpbenchError:  # told of where a task's cases are checked
        return found
    return found if parts[0] == parts[1] else [*found, "splits"]
