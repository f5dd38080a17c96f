"""Which segmenters judge whole validation cases in a variant's training, by which structures."""

from typing import Any

from ..paths import TaskPaths
from ..task import Task
from ..validation import judged_structures
from .cases import CasePlan


class JudgePlan:
    """The judges of one task's variants. In every method `fold` is the wildcard: `folds/0/`, or ""."""

    def __init__(self, task: Task, paths: TaskPaths, cases: CasePlan):
        self.task = task
        self.paths = paths
        self.cases = cases

    def options(self, fold: str, variant: str) -> dict[str, Any]:
        """What training.judge.Judge takes; {} where the variant's training judges no structures."""
        structures = {
            name: {
                "segmenter": self.task.options["structures"][name]["segmenter"],
                "labels": self.task.structure_labels(name),
            }
            for name in self._structures(variant)
        }
        if not structures:
            return {}
        cases = self.cases.of_fold(fold, "validation")
        return {
            "structures": structures,
            "segmenters": {name: self._segmenter(fold, name) for name in self.segmenters(variant)},
            "cases": dict(zip(cases, self.cases.prepared_of(fold, "validation"), strict=True)),
        }

    def inputs(self, fold: str, variant: str) -> list[str]:
        """The prepared validation cases, and the weights of the segmenters; [] where there is no judge."""
        names, folder = self.segmenters(variant), self.paths.fold(fold).folder
        weights = [path for name in names for path in self.task.segmenters[name].inputs(folder)]
        return [*self.cases.prepared_of(fold, "validation"), *weights] if names else []

    def code(self, variant: str) -> tuple[str, ...]:
        """The modules of the segmenters."""
        return tuple(module for name in self.segmenters(variant) for module in self.task.segmenters[name].code())

    def _structures(self, variant: str) -> list[str]:
        return judged_structures(self.task.options["variants"][variant]["training"], self.task.options["structures"])

    def segmenters(self, variant: str) -> list[str]:
        """The segmenters that judge a variant's training; none where it judges no structures."""
        structures = self.task.options["structures"]
        return list(dict.fromkeys(structures[name]["segmenter"] for name in self._structures(variant)))

    def _segmenter(self, fold: str, name: str) -> dict[str, Any]:
        segmenter, folder = self.task.segmenters[name], self.paths.fold(fold).folder
        return {
            "options": {key: value for key, value in segmenter.options.items() if key != "label"},
            "folder": segmenter.model_folder(folder),
            "weights": segmenter.inputs(folder),
        }
