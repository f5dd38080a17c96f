"""One task of a study as the rules see it."""

from collections.abc import Mapping
from typing import Any

from ..paths import StudyPaths
from ..splits import fold_folders
from ..task import Task
from .cases import CasePlan
from .models import ModelPlan
from .results import ResultPlan


class TaskPlan:
    """Everything that the rules ask of one task.

    task: its parts as what they are. paths: its files. cases: splits, folds and chunks. models: networks and their
    code. results: rows, records, tables and figures.
    """

    def __init__(self, task: Task, paths: StudyPaths, precision: str, seeds: Mapping[str, int]):
        """precision: of the study's `runtime`, for trainings that say `auto`. seeds: by the wildcard `seed`."""
        self.task = task
        self._precision = precision
        self.paths = paths.task(task.name, fold_folders(task.options["splits"]), seeds)
        self.cases = CasePlan(task, self.paths)
        self.models = ModelPlan(task, self.paths, self.cases, seeds)
        self.results = ResultPlan(task, self.paths, self.cases, self.models)

    def option(self, *keys: str) -> Any:
        """A value of the study file: option("training", "iterations") is tasks.<task>.training.iterations."""
        value: Any = self.task.options
        for key in keys:
            value = value[key]
        return value

    @property
    def image_records(self) -> list[str]:
        """The records of all images: those that are shown, and what teachers find."""
        models = self.models
        taught = [
            path
            for name in self.task.segmenters
            for fold in models.folds_of_segmenter(name)
            for path in models.teacher_records(fold, name)
        ]
        return list(dict.fromkeys(self.results.image_records + taught))

    def precision(self, section: str, name: str) -> str:
        """The number format of a network of a section: `variants`, `segmenters` or `feature_networks`."""
        own: str = self.option(section, name, "training", "precision")
        return own if own != "auto" else self._precision
